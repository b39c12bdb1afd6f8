package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"

	format "github.com/nlpodyssey/safetensors"

	"moge/ir/dtype"
)

func TestWriterBytes(t *testing.T) {
	file := written(t, []Tensor{
		tensor("z", dtype.I8, 3),
		tensor("a<b>\"é", dtype.F32),
		tensor("empty", dtype.BF16, 0, 7),
	}, map[string]string{"k2": "&", "k1": "v"}, []byte{1, 2, 3, 4, 5, 6, 7})
	const head = `{"__metadata__":{"k1":"v","k2":"&"},` +
		`"z":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},` +
		`"a<b>\"é":{"dtype":"F32","shape":[],"data_offsets":[3,7]},` +
		`"empty":{"dtype":"BF16","shape":[0,7],"data_offsets":[7,7]}}`
	padded := head + "        "[:7-(len(head)+7)%8]
	want := append(raw(padded, 0), 1, 2, 3, 4, 5, 6, 7)
	if !bytes.Equal(file, want) {
		t.Errorf("got\n%q\nwant\n%q", file, want)
	}
}

// What the writer writes, an independent reader and this one read back.
func TestWriterRoundTrip(t *testing.T) {
	for n := range 20 {
		var tensors []Tensor
		size := 0
		for i := range n {
			typ := dtype.All()[i%7]
			tensors = append(tensors, tensor(fmt.Sprint("t", i), typ, int64(i), 3))
			size += int(typ.Bytes(int64(3 * i)))
		}
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 31)
		}
		file := written(t, tensors, nil, data)
		h, err := readHeader("x", bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		compareWithReference(t, file, h)
		if len(h.tensors) != n || (len(file)-size)%8 != 0 {
			t.Errorf("%d tensors of %d; data begins at %d", len(h.tensors), n, len(file)-size)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	a := tensor("a", dtype.F32, 2)
	deep := make([]int64, 65)
	for name, c := range map[string]struct {
		tensors []Tensor
		want    string
	}{
		"twice": {[]Tensor{a, a}, `tensor "a": the list holds this name twice`},
		"reserved": {[]Tensor{tensor("__metadata__", dtype.F32)},
			`tensor "__metadata__": the format reserves this name`},
		"type": {[]Tensor{tensor("a", dtype.I4, 2)}, `tensor "a": the format has no element type i4`},
		"text": {[]Tensor{tensor("\xff", dtype.F32)}, `tensor "\xff": the name is not UTF-8 text`},
		"negative": {[]Tensor{tensor("a", dtype.F32, -1)},
			`tensor "a": shape [-1] is negative or overflows`},
		"overflow": {[]Tensor{tensor("a", dtype.F32, math.MaxInt64)},
			`tensor "a": shape [9223372036854775807] is negative or overflows`},
		"sum": {[]Tensor{tensor("a", dtype.U8, 1<<61), tensor("b", dtype.U8, 1<<62)},
			`tensor "b": the file would exceed 2^62 bytes`},
		"rank": {[]Tensor{tensor("a", dtype.F32, deep...)},
			`tensor "a": 65 dimensions, at most 64 are possible`},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			_, err := NewWriter(&file, c.tensors, nil)
			wantError(t, err, c.want)
			if file.Len() != 0 {
				t.Error("something was written")
			}
		})
	}
}

func TestWriterCountsBytes(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, []Tensor{
		tensor("a", dtype.U8, 2), tensor("e", dtype.U8, 0), tensor("b", dtype.U8, 3)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	start := file.Len()
	if _, err := w.Write([]byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.Close(), fmt.Sprintf(
		`tensor "b": offset %d: only 2 of its 3 bytes were written`, start+4))
	_, err = w.Write([]byte{5, 6})
	wantError(t, err, fmt.Sprintf("offset %d: 2 bytes to write but only 1 are declared", start+4))
	if _, err := w.Write([]byte{5}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := format.Deserialize(file.Bytes()); err != nil {
		t.Error(err)
	}
}

// full takes room bytes and then fails.
type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriterKeepsTheFirstFailure(t *testing.T) {
	tensors := []Tensor{tensor("a", dtype.U8, 4)}
	if _, err := NewWriter(&full{10}, tensors, nil); err != errFull {
		t.Errorf("header: %v", err)
	}
	w, err := NewWriter(&full{8 + 56 + 2}, tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, first := w.Write(make([]byte, 4))
	_, second := w.Write(nil)
	if last := w.Close(); first != errFull || second != errFull || last != errFull {
		t.Errorf("%v, %v, %v", first, second, last)
	}
}

func TestPlanShards(t *testing.T) {
	tensors := []Tensor{tensor("a", dtype.U8, 6), tensor("b", dtype.BF16, 2),
		tensor("c", dtype.U8, 30), tensor("d", dtype.U8, 0), tensor("e", dtype.U8, 1)}
	for _, c := range []struct {
		limit int64
		want  string
	}{
		{0, "m.safetensors[a b c d e]41"},
		{41, "m.safetensors[a b c d e]41"},
		{40, "m-00001-of-00002.safetensors[a b c d]40 m-00002-of-00002.safetensors[e]1"},
		{10, "m-00001-of-00003.safetensors[a b]10 m-00002-of-00003.safetensors[c]30 " +
			"m-00003-of-00003.safetensors[d e]1"},
	} {
		plans, err := PlanShards("m", tensors, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(plans); got != c.want {
			t.Errorf("limit %d: got %s, want %s", c.limit, got, c.want)
		}
	}
	_, err := PlanShards("m", []Tensor{tensors[0], tensors[0]}, 1)
	wantError(t, err, `tensor "a": the list holds this name twice`)
	plans, err := PlanShards("m", nil, 1)
	if err != nil || describe(plans) != "m.safetensors[]0" {
		t.Errorf("no tensors: %s, %v", describe(plans), err)
	}
}

func describe(plans []ShardPlan) string {
	text := ""
	for i, p := range plans {
		if i > 0 {
			text += " "
		}
		var names []string
		for _, t := range p.Tensors {
			names = append(names, t.Name)
		}
		text += fmt.Sprintf("%s%v%d", p.Name, names, p.Size)
	}
	return text
}

// A planned checkpoint opens through the index written for it.
func TestWriteIndex(t *testing.T) {
	plans, err := PlanShards("model", []Tensor{tensor("b", dtype.U8, 2), tensor("a", dtype.I8, 3)}, 2)
	if err != nil {
		t.Fatal(err)
	}
	var index bytes.Buffer
	if err := WriteIndex(&index, plans); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "metadata": {
    "total_size": 5
  },
  "weight_map": {
    "a": "model-00002-of-00002.safetensors",
    "b": "model-00001-of-00002.safetensors"
  }
}
`
	if index.String() != want || !json.Valid(index.Bytes()) {
		t.Errorf("got\n%s\nwant\n%s", index.String(), want)
	}
	files := map[string][]byte{defaultIndex: index.Bytes()}
	for _, p := range plans {
		files[p.Name] = written(t, p.Tensors, nil, make([]byte, p.Size))
	}
	mustOpen(t, folderOf(t, files))
}
