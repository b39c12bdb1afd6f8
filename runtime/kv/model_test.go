package kv

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// model is the plain counterpart of a cache: for each sequence the version that was
// written at each position.
type model [][]int

const modelSeqs, modelContext = 4, 19

// step applies the operation that three bytes describe to both, and compares what they say.
func (m model) step(t *testing.T, c *Cache, op, a, b byte, version int) {
	seq := int(a) % modelSeqs
	switch op % 4 {
	case 0, 1:
		m.reserve(t, c, seq, int(b)%(modelContext+3), version)
	case 2:
		length := int(b) % (len(m[seq]) + 1)
		c.Truncate(seq, length)
		m[seq] = m[seq][:length:length]
	case 3:
		dst := int(b) % modelSeqs
		if len(m[dst]) == 0 && dst != seq {
			c.Fork(seq, dst)
			m[dst] = append([]int(nil), m[seq]...)
		}
	}
}

func (m model) reserve(t *testing.T, c *Cache, seq, length, version int) {
	t.Helper()
	before := c.FreePages()
	err := c.Reserve(seq, length)
	var pages *OutOfPagesError
	var context *ContextError
	switch {
	case errors.As(err, &context):
		if length <= modelContext {
			t.Fatalf("length %d refused: %v", length, err)
		}
		return
	case errors.As(err, &pages):
		if pages.Need <= before || c.FreePages() != before || c.Len(seq) != len(m[seq]) {
			t.Fatalf("with %d pages free: %v", before, err)
		}
		return
	case err != nil || length > modelContext:
		t.Fatalf("length %d: %v", length, err)
	}
	for pos := len(m[seq]); pos < length; pos++ {
		writeAll(c, seq, pos, pos+1, version)
		m[seq] = append(m[seq], version)
	}
}

// compare reads every row back and counts the pages that are reachable.
func (m model) compare(t *testing.T, c *Cache) {
	t.Helper()
	reachable := map[int32]int32{}
	for seq, versions := range m {
		if c.Len(seq) != len(versions) {
			t.Fatalf("sequence %d has %d positions, want %d", seq, c.Len(seq), len(versions))
		}
		for pos, version := range versions {
			checkAll(t, c, seq, pos, pos+1, version)
		}
		for _, page := range c.seqs[seq].pages {
			reachable[page]++
		}
	}
	if c.FreePages()+len(reachable) != c.config.Pages() {
		t.Fatalf("%d pages free and %d in use of %d", c.FreePages(), len(reachable), c.config.Pages())
	}
	for page, refs := range c.refs {
		if refs != reachable[int32(page)] {
			t.Fatalf("page %d has %d references, %d are real", page, refs, reachable[int32(page)])
		}
	}
}

func runModel(t *testing.T, script []byte) {
	c := newCache(t, Config{PageTokens: 3, MaxTokens: 30, MaxSeqs: modelSeqs, Context: modelContext})
	m := make(model, modelSeqs)
	for i := 0; i+2 < len(script); i += 3 {
		m.step(t, c, script[i], script[i+1], script[i+2], i)
		m.compare(t, c)
	}
	for seq := range modelSeqs {
		c.Release(seq)
	}
	if c.FreePages() != 10 {
		t.Fatalf("%d of 10 pages came back", c.FreePages())
	}
}

func TestRandomOperationsAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		script := make([]byte, 300)
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		runModel(t, script)
	}
}

func FuzzCache(f *testing.F) {
	f.Add([]byte{0, 0, 7, 3, 0, 1, 0, 1, 9, 2, 0, 4, 0, 0, 12})
	f.Add([]byte{0, 0, 19, 3, 0, 1, 3, 0, 2, 0, 1, 19, 0, 3, 18})
	f.Fuzz(func(t *testing.T, script []byte) {
		runModel(t, script[:min(len(script), 150)])
	})
}
