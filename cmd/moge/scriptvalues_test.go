package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"moge/formats/safetensors"
)

func near(ts *testscript.TestScript, _ bool, args []string) {
	a, b := floats(ts, ts.MkAbs(args[0]), args[2]), floats(ts, ts.MkAbs(args[1]), args[2])
	bound, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	if len(a) != len(b) {
		ts.Fatalf("%d and %d elements", len(a), len(b))
	}
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= bound) {
			ts.Fatalf("element %d: %v and %v differ by %g", i, a[i], b[i], d)
		}
	}
}

func floats(ts *testscript.TestScript, path, tensor string) []float32 {
	c, err := safetensors.OpenFile(path)
	ts.Check(err)
	defer c.Close()
	t, ok := c.Tensor(tensor)
	if !ok {
		ts.Fatalf("%s has no tensor %s", path, tensor)
	}
	raw := make([]byte, t.Size)
	ts.Check(c.ReadAt(t, raw, 0))
	values := make([]float32, len(raw)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return values
}

// golden writes the texts that fit on a line, or compares what came of them.
func golden(ts *testscript.TestScript, _ bool, args []string) {
	want := readLines(ts, filepath.Join(ts.Getenv("TINY"), "golden", "tokenizer_golden.jsonl"))
	want = slices.DeleteFunc(want, func(l tokenLine) bool {
		return strings.ContainsAny(l.Text, "\n\r")
	})
	path := ts.MkAbs(args[1])
	if args[0] == "write" {
		var text strings.Builder
		for _, l := range want {
			text.WriteString(l.Text + "\n")
		}
		ts.Check(os.WriteFile(path, []byte(text.String()), 0o666))
		return
	}
	got := readLines(ts, path)
	if len(got) != len(want) || len(want) < 100 {
		ts.Fatalf("%d lines, want %d, and at least 100", len(got), len(want))
	}
	for i := range want {
		if got[i].Text != want[i].Text || !slices.Equal(got[i].IDs, want[i].IDs) {
			ts.Fatalf("line %d: got %v, want %v", i+1, got[i], want[i])
		}
	}
}

func readLines(ts *testscript.TestScript, path string) []tokenLine {
	file, err := os.Open(path)
	ts.Check(err)
	defer file.Close()
	var list []tokenLine
	for s := bufio.NewScanner(file); s.Scan(); {
		var l tokenLine
		ts.Check(json.Unmarshal(s.Bytes(), &l))
		list = append(list, l)
	}
	return list
}
