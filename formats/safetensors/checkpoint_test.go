package safetensors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moge/ir/dtype"
)

func TestOpenTinyModel(t *testing.T) {
	c := mustOpen(t, tinyModel)
	if got := len(c.Shards()); got != 3 {
		t.Errorf("%d shards, want 3", got)
	}
	names := c.Names()
	if !slices.IsSorted(names) {
		t.Error("names are not sorted")
	}
	bytes := int64(0)
	for _, name := range names {
		tensor, ok := c.Tensor(name)
		if !ok || tensor.Name != name || tensor.DType != dtype.BF16 {
			t.Fatalf("%s: %+v, %v", name, tensor, ok)
		}
		bytes += tensor.Size
	}
	if want := int64(15931136); bytes != want { // the total_size of the index
		t.Errorf("%d bytes of tensors, want %d", bytes, want)
	}
	embed, _ := c.Tensor("model.embed_tokens.weight")
	want := Tensor{Name: "model.embed_tokens.weight", DType: dtype.BF16, Shape: []int64{4096, 128},
		Shard: "model-00001-of-00003.safetensors", Offset: 8 + 34776, Size: 1 << 20}
	if !slices.Equal(embed.Shape, want.Shape) || embed.Offset != want.Offset ||
		embed.Size != want.Size || embed.Shard != want.Shard || embed.Elements() != 4096*128 {
		t.Errorf("got %+v, want %+v", embed, want)
	}
	if _, ok := c.Tensor("none"); ok {
		t.Error("found a tensor that is not there")
	}
	if got := c.Shards()[2].Metadata["format"]; got != "pt" {
		t.Errorf("metadata format %q, want pt", got)
	}
}

func TestOpenEveryFamily(t *testing.T) {
	for family, shards := range map[string]int{
		"llama": 1, "mixtral": 2, "pangu_pro_moe": 1, "qwen3": 1, "qwen3_moe": 2,
	} {
		c := mustOpen(t, filepath.Join(families, family))
		if got := len(c.Shards()); got != shards {
			t.Errorf("%s: %d shards, want %d", family, got, shards)
		}
		if _, ok := c.Tensor("model.embed_tokens.weight"); !ok {
			t.Errorf("%s: no embedding", family)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	one := raw("{"+record("a", "[4]", "[0,4]")+"}", 4)
	two := raw("{"+record("b", "[4]", "[0,4]")+"}", 4)
	index := func(weights string) []byte {
		return []byte(`{"metadata":{"total_size":8},"weight_map":{` + weights + `}}`)
	}
	const both = ": shards and index are not of the same checkpoint, download both again"
	const again = ": the file is damaged, download it again"
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string // DIR stands for the folder
	}{
		"nothing": {nil, "DIR: no .safetensors file: give the folder that holds model.safetensors, or " +
			"model-00001-of-0000N.safetensors and the other shards with model.safetensors.index.json"},
		"only bin": {map[string][]byte{"pytorch_model.bin": one}, "DIR: no .safetensors file, only " +
			".bin files: save the model as safetensors first"},
		"hidden": {map[string][]byte{"._model.safetensors": one, "x.bin": one}, "DIR: no .safetensors " +
			"file, only .bin files: save the model as safetensors first"},
		"cut shard": {map[string][]byte{"model.safetensors": one[:len(one)-1]}, "model.safetensors: " +
			"file has 64 bytes but its header declares 65: the shard is cut short, download it again"},
		"duplicate tensor": {map[string][]byte{"p.safetensors": one, "q.safetensors": one},
			`q.safetensors: tensor "a": p.safetensors holds a tensor of this name too: ` +
				"keep one checkpoint per folder"},
		"incomplete set": {map[string][]byte{
			"m-00001-of-00003.safetensors": one, "m-00003-of-00003.safetensors": two},
			"m-00001-of-00003.safetensors: it is one of 3 shards but m-00002-of-00003.safetensors " +
				"is not in the folder: download the missing shard"},
		"missing file": {map[string][]byte{
			"p.safetensors": one, defaultIndex: index(`"a":"p.safetensors","b":"q.safetensors"`)},
			defaultIndex + `: tensor "b": weight_map names q.safetensors, which is not in the folder: ` +
				"download the missing shard"},
		"tensor no shard has": {map[string][]byte{
			"p.safetensors": one, defaultIndex: index(`"a":"p.safetensors","c":"p.safetensors"`)},
			defaultIndex + `: tensor "c": weight_map places it in p.safetensors but no shard holds it` +
				both},
		"tensor not in index": {map[string][]byte{"p.safetensors": one, "q.safetensors": raw("{"+
			record("b", "[1]", "[0,1]")+","+record("c", "[1]", "[1,2]")+"}", 2),
			defaultIndex: index(`"a":"p.safetensors","b":"q.safetensors"`)},
			`q.safetensors: tensor "c": the weight_map of ` + defaultIndex + " does not name it" + both},
		"tensor elsewhere": {map[string][]byte{"p.safetensors": one, "q.safetensors": two,
			defaultIndex: index(`"a":"q.safetensors","b":"p.safetensors"`)},
			defaultIndex + `: tensor "a": weight_map places it in q.safetensors but ` +
				"p.safetensors holds it" + both},
		"path in index": {map[string][]byte{defaultIndex: index(`"a":"../p.safetensors"`)}, defaultIndex +
			`: tensor "a": offset 65: "../p.safetensors" is not the name of a shard in this ` +
			"folder" + again},
		"index without map": {map[string][]byte{defaultIndex: []byte(`{"metadata":{"a":[1,{"b":2}]}}`)},
			defaultIndex + ": index has no weight_map" + again},
		"index without tensors": {map[string][]byte{defaultIndex: index("")},
			defaultIndex + ": weight_map names no tensor" + again},
		"index not JSON": {map[string][]byte{defaultIndex: []byte(`{"weight_map":{"a":}}`)},
			defaultIndex +
				`: tensor "a": offset 19: index is not JSON: invalid character '}' ` +
				"looking for beginning of value" + again},
		"index names twice": {map[string][]byte{
			defaultIndex: index(`"a":"p.safetensors","a":"q.safetensors"`)},
			defaultIndex + `: offset 66: key "a" occurs twice` + again},
		"several indexes": {map[string][]byte{"p.safetensors": one, "v.safetensors.index.json": nil,
			"w.safetensors.index.json": nil}, "DIR: several indexes: v.safetensors.index.json, " +
			"w.safetensors.index.json: keep one checkpoint per folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folderOf(t, c.files)
			_, err := Open(dir)
			wantError(t, err, strings.ReplaceAll(c.want, "DIR", dir))
		})
	}
}

func TestOpenWithoutIndex(t *testing.T) {
	dir := folderOf(t, map[string][]byte{
		"m-00001-of-00002.safetensors": raw("{"+record("a", "[4]", "[0,4]")+"}", 4),
		"m-00002-of-00002.safetensors": raw("{"+record("b", "[4]", "[0,4]")+"}", 4),
	})
	if got := mustOpen(t, dir).Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names %v", got)
	}
}

// A file that the index does not name, such as a second copy in another layout, is left alone.
func TestOpenFollowsTheIndex(t *testing.T) {
	one := raw("{"+record("a", "[4]", "[0,4]")+"}", 4)
	dir := folderOf(t, map[string][]byte{
		"quant.safetensors": one, "other.safetensors": one,
		"quant.safetensors.index.json": []byte(`{"weight_map":{"a":"quant.safetensors"}}`),
	})
	if got := mustOpen(t, dir).Shards(); len(got) != 1 || got[0].Name != "quant.safetensors" {
		t.Errorf("shards %v", got)
	}
}

func TestOpenMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, err := Open(dir)
	wantError(t, err, dir+": cannot read the checkpoint folder: open "+dir+
		": no such file or directory")
	path := filepath.Join(dir, "x.safetensors")
	_, err = OpenFile(path)
	wantError(t, err, "x.safetensors: cannot open: stat "+path+": no such file or directory")
	_, err = OpenFile(tinyModel)
	wantError(t, err, "tiny-moge: not a regular file: give a file")
}

// Links are how download caches lay out a checkpoint.
func TestOpenThroughLinks(t *testing.T) {
	from, err := filepath.Abs(filepath.Join(families, "llama", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(from, filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir)
}

func TestHeaderDigestSeesHeadersOnly(t *testing.T) {
	base := raw("{"+record("a", "[4]", "[0,4]")+"}", 4)
	digest := func(name string, file []byte) [32]byte {
		return mustOpen(t, folderOf(t, map[string][]byte{name: file})).HeaderDigest()
	}
	want := digest("m.safetensors", base)
	values := slices.Clone(base)
	values[len(values)-1] ^= 1
	if digest("m.safetensors", values) != want {
		t.Error("the digest depends on the folder or on values")
	}
	for what, other := range map[string][32]byte{
		"file name": digest("n.safetensors", base),
		"name":      digest("m.safetensors", raw("{"+record("b", "[4]", "[0,4]")+"}", 4)),
		"shape":     digest("m.safetensors", raw("{"+record("a", "[2,2]", "[0,4]")+"}", 4)),
		"size":      digest("m.safetensors", raw("{"+record("a", "[5]", "[0,5]")+"}", 5)),
		"dtype": digest("m.safetensors",
			raw(strings.Replace("{"+record("a", "[4]", "[0,4]")+"}", "U8", "I8", 1), 4)),
	} {
		if other == want {
			t.Errorf("the digest does not see the %s", what)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":8},` +
		`"weight_map":{"a":"p.safetensors","b":"q.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../p.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"p.safetensors"},"weight_map":{}}`))
	f.Add([]byte(`{"x":[[[{"y":[]}]]],"weight_map":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		ix, err := parseIndex("index", text)
		if err != nil {
			return
		}
		for i, p := range ix.places {
			if filepath.Base(p.shard) != p.shard || !filepath.IsLocal(p.shard) {
				t.Fatalf("%q leaves the folder", p.shard)
			}
			if i > 0 && ix.places[i-1].tensor >= p.tensor {
				t.Fatal("tensors are not sorted and distinct")
			}
			if _, ok := slices.BinarySearch(ix.shardSet, p.shard); !ok {
				t.Fatalf("%q is not among the shards", p.shard)
			}
		}
	})
}
