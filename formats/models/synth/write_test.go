package synth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"moge/formats/durable/faultfs"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/ir/dtype"
)

const config = `{"architectures":["PanguProMoEForCausalLM"],
  "hidden_size":16, "num_hidden_layers":48, "num_attention_heads":4, "num_key_value_heads":2,
  "vocab_size":24, "max_position_embeddings":32, "rms_norm_eps":1e-5, "torch_dtype":"bfloat16",
  "num_experts":4, "num_experts_per_tok":2, "moe_intermediate_size":8,
  "shared_expert_intermediate_size":32, "initializer_range":0.5}`

func TestWrittenCheckpointBuilds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	reported := []int64{}
	o := Options{Layers: 2, Seed: 3, ShardBytes: 2000, Progress: func(done, total int64) {
		reported = append(reported, done, total)
	}}
	if err := Write(context.Background(), []byte(config), o, dir); err != nil {
		t.Fatal(err)
	}
	cfg, err := hf.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, report, err := models.Build(cfg, models.FromCheckpoint(c))
	if err != nil || len(report.Unknown) > 0 {
		t.Errorf("the checkpoint does not build: %v, %+v", err, report)
	}
	if len(c.Shards()) < 3 {
		t.Errorf("%d shards", len(c.Shards()))
	}
	checkProgress(t, reported)
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the checkpoint there is %v (%v)", left, err)
	}
}

func checkProgress(t *testing.T, reported []int64) {
	t.Helper()
	n := len(reported)
	if n < 4 || reported[n-2] != reported[n-1] {
		t.Fatalf("progress ends with %v", reported)
	}
	for i := 2; i < n; i += 2 {
		if reported[i] < reported[i-2] || reported[i+1] != reported[n-1] {
			t.Errorf("progress goes from %v to %v", reported[i-2:i], reported[i:i+2])
		}
	}
}

// read gives the values of a tensor.
func read(t *testing.T, c *safetensors.Checkpoint, name string) []float32 {
	t.Helper()
	tensor, ok := c.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	data, err := os.ReadFile(c.Shards()[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, tensor.Elements())
	dtype.Decode(tensor.DType, values, data[tensor.Offset:tensor.Offset+tensor.Size])
	return values
}

func TestScalesAreAboutOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := Write(context.Background(), []byte(config), Options{Layers: 1}, dir); err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range c.Names() {
		scale := strings.Contains(name, "norm") || strings.Contains(name, "router_scale")
		values := read(t, c, name)
		low, high := slices.Min(values), slices.Max(values)
		// The widest quantile is 3.49 deviations from the middle.
		if scale && (low < 0.65 || high > 1.35) || !scale && (low >= 0 || high <= 0 || high > 1.75) {
			t.Errorf("%s has values from %v to %v", name, low, high)
		}
	}
}

// digest is over names and bytes of all files in dir.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %d\n", e.Name(), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestSameBytes pins the bytes, so that no machine, parallelism or release changes them unseen.
func TestSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const want = "db7a1a3a5977ba4fbf93fbf2abdf3324ea59f2f7f50a25805b92c9058921bce7"
	root := t.TempDir()
	for _, procs := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(procs)
		dir := filepath.Join(root, fmt.Sprint(procs))
		o := Options{Layers: 2, Seed: 9, ShardBytes: 4000}
		if err := Write(context.Background(), []byte(config), o, dir); err != nil {
			t.Fatal(err)
		}
		if got := digest(t, dir); got != want {
			t.Errorf("with %d processors the digest is %s", procs, got)
		}
	}
}

func TestSparse(t *testing.T) {
	root := t.TempDir()
	full, sparse := filepath.Join(root, "full"), filepath.Join(root, "sparse")
	o := Options{Layers: 2, ShardBytes: 4000}
	if err := Write(context.Background(), []byte(config), o, full); err != nil {
		t.Fatal(err)
	}
	o.Sparse = true
	if err := Write(context.Background(), []byte(config), o, sparse); err != nil {
		t.Fatal(err)
	}
	a, err := safetensors.Open(full)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := safetensors.Open(sparse)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if a.HeaderDigest() != b.HeaderDigest() {
		t.Error("the sparse checkpoint has other headers")
	}
	if values := read(t, b, "model.embed_tokens.weight"); slices.Max(values) != 0 {
		t.Error("the sparse checkpoint has values")
	}
}

// TestSparsePublishedSize writes the 144 GB of the published model as holes.
func TestSparsePublishedSize(t *testing.T) {
	text, err := os.ReadFile("../testdata/pangu_published.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := Write(context.Background(), text, Options{Sparse: true}, dir); err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	total := int64(0)
	for _, name := range c.Names() {
		tensor, _ := c.Tensor(name)
		total += tensor.Size
	}
	if total != 143_977_562_112 {
		t.Errorf("%d bytes of tensors, want 143977562112", total)
	}
}

func TestRefusals(t *testing.T) {
	root := t.TempDir()
	taken := filepath.Join(root, "taken")
	if err := os.Mkdir(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	wide := strings.Replace(config, "0.5}", "11}", 1)
	for _, c := range []struct {
		name, config, dir, want string
		o                       Options
	}{
		{"taken", config, taken, "write checkpoint " + taken +
			": file already exists, remove it or give another folder", Options{Layers: 1}},
		{"layers", config, root + "/x", "-1 layers and 0 bytes a shard: neither may be below zero",
			Options{Layers: -1}},
		{"architecture", `{"architectures":["GPT2LMHeadModel"],"hidden_size":16,"num_hidden_layers":1,
			"num_attention_heads":4,"vocab_size":24,"max_position_embeddings":32,"rms_norm_eps":1e-5}`,
			root + "/x", `model "GPT2LMHeadModel": this architecture is not supported: supported are ` +
				strings.Join(models.Supported(), ", ") + "; the nearest is LlamaForCausalLM", Options{}},
		{"range", wide, root + "/x",
			"config.json: initializer_range is 11, it must be above 0 and at most 10", Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Write(context.Background(), []byte(c.config), c.o, c.dir)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
		t.Errorf("refused jobs leave %v (%v)", left, err)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	root := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Layers: 4, Progress: func(done, _ int64) {
		if done > 1000 {
			cancel()
		}
	}}
	err := Write(ctx, []byte(config), o, filepath.Join(root, "model"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 0 {
		t.Errorf("a cancelled job leaves %v (%v)", left, err)
	}
}

func TestFullDisk(t *testing.T) {
	fsys := faultfs.New()
	fsys.SetFree(1000)
	err := write(context.Background(), fsys, []byte(config), Options{Layers: 1}, "/model")
	want := "/model: the checkpoint takes 9544 bytes but the disk has 1000 free: " +
		"make room, write fewer layers, or none of the data (sparse)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestFaults fails and crashes at every operation: the folder is there whole, or not at all.
func TestFaults(t *testing.T) {
	o := Options{Layers: 1, Seed: 1, ShardBytes: 8000}
	fsys := faultfs.New()
	if err := write(context.Background(), fsys, []byte(config), o, "/model"); err != nil {
		t.Fatal(err)
	}
	want, ops := fsys.Snapshot("/model"), fsys.Ops()
	failure := errors.New("device error")
	for n := 1; n <= ops; n++ {
		fsys := faultfs.New()
		fsys.FailAt(n, failure)
		err := write(context.Background(), fsys, []byte(config), o, "/model")
		if !errors.Is(err, failure) {
			t.Errorf("failing operation %d gives %v", n, err)
		}
		wholeOrAbsent(t, fmt.Sprintf("failing operation %d", n), fsys, want)
		crashing := faultfs.New()
		crashing.CrashAt(n)
		_ = write(context.Background(), crashing, []byte(config), o, "/model") // whatever it says
		for _, mode := range faultfs.Modes() {
			disk := crashing.Recover(mode, uint64(n))
			wholeOrAbsent(t, fmt.Sprintf("crash at operation %d, %v", n, mode), disk, want)
		}
	}
}

func wholeOrAbsent(t *testing.T, when string, fsys *faultfs.FS, want map[string]string) {
	t.Helper()
	if _, err := fsys.Stat("/model"); err != nil {
		return
	}
	got := fsys.Snapshot("/model")
	if len(got) != len(want) {
		t.Errorf("%s leaves %d files, want %d", when, len(got), len(want))
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s leaves %s damaged", when, name)
		}
	}
}
