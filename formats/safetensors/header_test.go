package safetensors

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"slices"
	"strings"
	"testing"

	format "github.com/nlpodyssey/safetensors"
)

func TestHeaderRefuses(t *testing.T) {
	const hint = ": the file is damaged, download it again"
	const cut = ": the shard is cut short, download it again"
	two := "{" + record("a", "[4]", "[0,4]") + "," + record("b", "[4]", "[4,8]") + "}"
	long := append(binary.LittleEndian.AppendUint64(nil, 99_000_000), make([]byte, 100)...)
	huge := append(binary.LittleEndian.AppendUint64(nil, 1<<63), make([]byte, 100)...)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":    {nil, "x: file has 0 bytes, too few for a header length" + cut},
		"cut data": {raw(two, 7), "x: file has 120 bytes but its header declares 121" + cut},
		"trailing": {raw(two, 9), "x: file has 122 bytes but its header declares 121" + hint},
		"length beyond file": {long,
			"x: header of 99000000 bytes goes beyond the end of the 108-byte file" + cut},
		"length beyond limit": {huge, "x: header length 9223372036854775808 exceeds the limit of " +
			"100000000 bytes: the file is damaged or not a safetensors file, download it again"},
		"git lfs": {[]byte("version https://git-lfs.github.com/spec/v1\n"), "x: file is a Git LFS " +
			"pointer, not the tensors themselves: fetch the content with git lfs pull"},
		"not JSON": {raw("<html>", 0), "x: offset 8: header is not JSON: invalid character '<' " +
			"looking for beginning of value" + hint},
		"JSON cut": {raw(`{"a":`, 0),
			"x: tensor \"a\": offset 13: header is not JSON: it ends too early" + hint},
		"not UTF-8":   {raw("{\"\xff\":1}", 0), "x: header is not UTF-8 text" + hint},
		"not object":  {raw(`[]`, 0), `x: offset 9: found [ where "{" must stand` + hint},
		"two objects": {raw(`{}{}`, 0), "x: offset 11: header goes on after its closing brace" + hint},
		"stray brace": {raw(`{}}`, 0), "x: offset 10: header goes on after its closing brace" + hint},
		"key twice": {raw("{"+record("a", "[1]", "[0,1]")+","+record("a", "[1]", "[1,2]")+"}", 2),
			`x: offset 64: key "a" occurs twice` + hint},
		"field twice": {raw(`{"a":{"dtype":"U8","dtype":"U8"}}`, 0),
			`x: tensor "a": offset 34: key "dtype" occurs twice` + hint},
		"unknown field": {raw(`{"a":{"strides":[1]}}`, 0),
			`x: tensor "a": offset 23: unknown key "strides" in the record` + hint},
		"missing field": {raw(`{"a":{"dtype":"U8","shape":[1]}}`, 1), `x: tensor "a": offset 39: ` +
			"the record lacks one of dtype, shape and data_offsets" + hint},
		"unknown dtype": {raw(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1),
			`x: tensor "a": offset 31: unknown element type "F8_E4M3": ` + hintDTypes},
		"unsupported dtype": {raw(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8),
			`x: tensor "a": offset 27: element type F64 is not supported: ` + hintDTypes},
		"dtype not a string": {raw(`{"a":{"dtype":7}}`, 0),
			`x: tensor "a": offset 23: found 7 where a string must stand` + hint},
		"negative shape": {raw("{"+record("a", "[-1]", "[0,1]")+"}", 1), `x: tensor "a": offset 38: ` +
			"shape holds -1, which is not an integer from 0 to 2^63-1" + hint},
		"fraction": {raw("{"+record("a", "[1.0]", "[0,1]")+"}", 1), `x: tensor "a": offset 39: ` +
			"shape holds 1.0, which is not an integer from 0 to 2^63-1" + hint},
		"offset above int64": {raw("{"+record("a", "[1]", "[0,9223372036854775808]")+"}", 1),
			`x: tensor "a": offset 76: data_offsets holds 9223372036854775808, ` +
				"which is not an integer from 0 to 2^63-1" + hint},
		"one offset": {raw("{"+record("a", "[1]", "[0]")+"}", 1),
			`x: tensor "a": offset 57: data_offsets has fewer than 2 values` + hint},
		"three offsets": {raw("{"+record("a", "[1]", "[0,1,2]")+"}", 1),
			`x: tensor "a": offset 60: data_offsets has more than 2 values` + hint},
		"null shape": {raw("{"+record("a", "null", "[0,1]")+"}", 1),
			`x: tensor "a": offset 39: found null where "[" must stand` + hint},
		"shape overflows": {raw("{"+record("a", "[4294967296,4294967296]", "[0,1]")+"}", 1),
			`x: tensor "a": offset 12: shape [4294967296 4294967296] overflows` + hint},
		"shape and size": {raw("{"+record("a", "[2,3]", "[0,5]")+"}", 5), `x: tensor "a": offset 12: ` +
			"data_offsets [0, 5] hold 5 bytes but shape [2 3] of U8 needs 6" + hint},
		"reversed": {raw("{"+record("a", "[1]", "[1,0]")+"}", 1),
			`x: tensor "a": offset 12: data_offsets [1, 0] end before they begin` + hint},
		"overlap": {raw("{"+record("a", "[4]", "[0,4]")+","+record("b", "[4]", "[3,7]")+"}", 7),
			`x: tensor "b": offset 64: data_offsets [3, 7] overlap the tensor before, ` +
				"which ends at 4" + hint},
		"gap": {raw("{"+record("a", "[4]", "[0,4]")+","+record("b", "[4]", "[5,9]")+"}", 9), `x: ` +
			`tensor "b": offset 64: data_offsets [5, 9] leave a gap after the tensor before, ` +
			"which ends at 4" + hint},
		"out of range": {raw("{"+record("a", "[4]", "[100,104]")+"}", 4),
			`x: tensor "a": offset 12: data_offsets [100, 104] lie outside the file's ` +
				"4 bytes of data" + hint},
		"metadata not text": {raw(`{"__metadata__":{"n":1}}`, 0),
			"x: offset 30: found 1 where a string must stand" + hint},
		"rank": {raw("{"+record("a", "["+strings.Repeat("1,", 64)+"1]", "[0,1]")+"}", 1),
			`x: tensor "a": offset 165: shape has more than 64 values` + hint},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readHeader("x", bytes.NewReader(c.file), int64(len(c.file)))
			wantError(t, err, c.want)
		})
	}
}

func TestHeaderAccepts(t *testing.T) {
	for name, file := range map[string][]byte{
		"no tensor":      raw("{}", 0),
		"padded":         raw("{}      ", 0),
		"scalar":         raw("{"+record("a", "[]", "[0,1]")+"}", 1),
		"no element":     raw("{"+record("a", "[0,4294967296,4294967296]", "[0,0]")+"}", 0),
		"empty at end":   raw("{"+record("a", "[0]", "[2,2]")+","+record("b", "[2]", "[0,2]")+"}", 2),
		"empty at start": raw("{"+record("b", "[2]", "[0,2]")+","+record("a", "[0]", "[0,0]")+"}", 2),
		"metadata":       raw(`{"__metadata__":{"format":"pt"}}`, 0),
	} {
		if _, err := readHeader("x", bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The message about a long name must not be as long as the name.
func TestErrorBoundsNames(t *testing.T) {
	file := raw("{"+record(strings.Repeat("n", 100_000), "[1]", "[0,2]")+"}", 2)
	_, err := readHeader("x", bytes.NewReader(file), int64(len(file)))
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("message of %d bytes", len(err.Error()))
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(raw("{"+record("a", "[2,3]", "[0,6]")+","+record("b", "[]", "[6,7]")+"}", 7))
	f.Add(raw(`{"__metadata__":{"format":"pt"}}   `, 0))
	f.Add(raw("{"+record("a", "[0]", "[0,0]")+"}", 0))
	f.Add(raw("{"+record("a", "[4]", "[3,7]")+"}", 4))
	f.Add(raw(`{"a":[[[[[[`, 0))
	f.Add(raw(`{"\ud800":{"dtype":"BF16","shape":[18446744073709551615],"data_offsets":[0,1e9]}}`, 0))
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := boundedReadHeader(t, file)
		if err != nil {
			return
		}
		compareWithReference(t, file, h)
	})
}

// boundedReadHeader checks what is allocated against the input: a token costs the decoder a
// value, a string and a slot, of which two bytes of input can hold one, and buffers that grow by
// doubling.
func boundedReadHeader(t *testing.T, file []byte) (header, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := readHeader("x", bytes.NewReader(file), int64(len(file)))
	runtime.ReadMemStats(&after)
	limit := uint64(1<<20 + 512*len(file))
	if got := after.TotalAlloc - before.TotalAlloc; got > limit {
		t.Fatalf("%d bytes of input allocated %d, more than %d", len(file), got, limit)
	}
	return h, err
}

// compareWithReference checks that an accepted file means the same to an independent reader.
func compareWithReference(t *testing.T, file []byte, h header) {
	t.Helper()
	reference, err := format.Deserialize(file)
	if err != nil {
		t.Fatalf("accepted, but the reference reader says: %v", err)
	}
	if reference.Len() != len(h.tensors) {
		t.Fatalf("%d tensors, the reference reader has %d", len(h.tensors), reference.Len())
	}
	for _, got := range h.tensors {
		want, ok := reference.Tensor(got.Name)
		if !ok {
			t.Fatalf("the reference reader lacks %q", got.Name)
		}
		if want.DType().String() != got.DType.Safetensors() ||
			!slices.Equal(signed(want.Shape()), got.Shape) ||
			!bytes.Equal(want.Data(), file[got.Offset:got.Offset+got.Size]) {
			t.Fatalf("tensor %q differs from the reference reader's", got.Name)
		}
	}
}

// The bound on memory also holds where hostile input is dense in tokens.
func TestHeaderMemoryIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		b.WriteString(record(strings.Repeat("n", i%7)+string(rune('a'+i%26)), "[1,1,1]", "[0,1]") + ",")
	}
	for _, text := range []string{
		strings.Repeat("[", 1<<20), `{"a":` + strings.Repeat("[", 1<<20),
		`{"a":{"shape":[` + strings.Repeat("1,", 1<<19), "{" + b.String(),
		`{"__metadata__":{` + strings.Repeat(`"":"",`, 1<<17), strings.Repeat(" ", 1<<20),
	} {
		if _, err := boundedReadHeader(t, raw(text, 0)); err == nil {
			t.Errorf("accepted %.40s", text)
		}
	}
}
