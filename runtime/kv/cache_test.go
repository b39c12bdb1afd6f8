package kv

import (
	"errors"
	"math"
	"reflect"
	"sync"
	"testing"

	"moge/ir/dtype"
	"moge/quant"
)

var testSlots = []Slot{
	{"k", 2, 3, dtype.F32}, {"v", 1, 5, dtype.F16}, {"latent", 2, 4, dtype.I8},
}

func newCache(t testing.TB, c Config) *Cache {
	t.Helper()
	if c.Slots == nil {
		c.Slots = testSlots
	}
	cache, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

// testRow differs for every slot, position and version; its values are exact in f16.
func testRow(s Slot, pos, version int) []float32 {
	row := make([]float32, s.Heads*s.Width)
	for i := range row {
		row[i] = float32((pos*31+version*7+i*3)%509-254) / 4
	}
	return row
}

// stored is what a row reads back as, computed on its own.
func stored(s Slot, row []float32) []float32 {
	want := append([]float32(nil), row...)
	for head := 0; head < s.Heads && s.Type == dtype.I8; head++ {
		part := want[head*s.Width : (head+1)*s.Width]
		codes := make([]int8, s.Width)
		quant.DecodeRow(part, codes, quant.EncodeDynamic(codes, part))
	}
	return want
}

// bits makes rows comparable to the bit: -0 differs from 0, NaN equals itself.
func bits(row []float32) []uint32 {
	b := make([]uint32, len(row))
	for i, v := range row {
		b[i] = math.Float32bits(v)
	}
	return b
}

func writeAll(c *Cache, seq, from, to, version int) {
	for pos := from; pos < to; pos++ {
		for slot, s := range c.config.Slots {
			c.Write(slot, seq, pos, testRow(s, pos, version))
		}
	}
}

func checkRow(t testing.TB, c *Cache, slot, seq, pos, version int) {
	t.Helper()
	s := c.config.Slots[slot]
	got := make([]float32, s.Heads*s.Width)
	c.Row(slot, seq, pos, got)
	if want := stored(s, testRow(s, pos, version)); !reflect.DeepEqual(bits(got), bits(want)) {
		t.Fatalf("slot %s, sequence %d, position %d: %v, want %v", s.Name, seq, pos, got, want)
	}
}

func checkAll(t testing.TB, c *Cache, seq, from, to, version int) {
	t.Helper()
	for pos := from; pos < to; pos++ {
		for slot := range c.config.Slots {
			checkRow(t, c, slot, seq, pos, version)
		}
	}
}

func reserve(t testing.TB, c *Cache, seq, length int) {
	t.Helper()
	if err := c.Reserve(seq, length); err != nil {
		t.Fatal(err)
	}
}

func TestPageBoundaries(t *testing.T) {
	for _, length := range []int{1, 3, 4, 5, 8, 9} {
		c := newCache(t, Config{PageTokens: 4, MaxTokens: 12, MaxSeqs: 1, Context: 12})
		reserve(t, c, 0, length)
		writeAll(c, 0, 0, length, 1)
		checkAll(t, c, 0, 0, length, 1)
		pages := (length + 3) / 4
		if c.FreePages() != 3-pages || c.Len(0) != length {
			t.Errorf("length %d: %d pages free, Len %d", length, c.FreePages(), c.Len(0))
		}
		if got := c.Page(0, 0, pages-1).Len; got != length-4*(pages-1) {
			t.Errorf("length %d: the last page holds %d", length, got)
		}
	}
}

func TestPageViewLayout(t *testing.T) {
	c := newCache(t, Config{PageTokens: 4, MaxTokens: 8, MaxSeqs: 1, Context: 8})
	reserve(t, c, 0, 6)
	writeAll(c, 0, 0, 6, 0)
	view, row := c.Page(0, 0, 1), testRow(testSlots[0], 5, 0)
	if len(view.F32) != 2*4*3 || view.F16 != nil || view.I8 != nil ||
		view.Scales != nil || view.Len != 2 {
		t.Fatalf("%+v", view)
	}
	for head := range 2 { // position 5 is the second of page 1
		if got := view.F32[(head*4+1)*3:][:3]; !reflect.DeepEqual(got, row[head*3:][:3]) {
			t.Errorf("head %d: %v, want %v", head, got, row[head*3:][:3])
		}
	}
	half := c.Page(1, 0, 0)
	if len(half.F16) != 4*5 || half.F16[5] != dtype.F32ToF16(testRow(testSlots[1], 1, 0)[0]) {
		t.Errorf("f16 view %v", half.F16)
	}
	view, row = c.Page(2, 0, 0), testRow(testSlots[2], 3, 0)
	codes := make([]int8, 4)
	scale := quant.EncodeDynamic(codes, row[4:])
	if len(view.I8) != 2*4*4 || len(view.Scales) != 8 || view.Len != 4 {
		t.Fatalf("%+v", view)
	}
	if !reflect.DeepEqual(view.I8[(4+3)*4:], codes) || view.Scales[4+3] != scale {
		t.Errorf("head 1 position 3: %v scale %v", view.I8[(4+3)*4:], view.Scales[4+3])
	}
}

func TestRoundingOfWrites(t *testing.T) {
	c := newCache(t, Config{Slots: []Slot{{"h", 1, 3, dtype.F16}, {"q", 1, 2, dtype.I8}},
		MaxTokens: 1, MaxSeqs: 1, Context: 1})
	reserve(t, c, 0, 1)
	c.Write(0, 0, 0, []float32{1 + 0x1p-11, 1 + 3*0x1p-11, 1e6}) // ties go to even
	got := make([]float32, 3)
	c.Row(0, 0, 0, got)
	if want := []float32{1, 1 + 0x1p-9, float32(math.Inf(1))}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c.Write(1, 0, 0, []float32{float32(math.Inf(1)), 1})
	if c.Row(1, 0, 0, got[:2]); got[0] == got[0] || got[1] == got[1] {
		t.Errorf("an infinite i8 row reads back as %v, want NaN", got[:2])
	}
}

func TestForkThenDiverge(t *testing.T) {
	c := newCache(t, Config{PageTokens: 4, MaxTokens: 20, MaxSeqs: 3, Context: 20})
	reserve(t, c, 0, 6)
	writeAll(c, 0, 0, 6, 1)
	c.Fork(0, 1)
	c.Fork(1, 2)
	if c.FreePages() != 3 {
		t.Fatalf("%d pages free after forking, want 3", c.FreePages())
	}
	reserve(t, c, 1, 7)
	writeAll(c, 1, 6, 7, 2)
	reserve(t, c, 0, 8)
	writeAll(c, 0, 6, 8, 3)
	reserve(t, c, 2, 7) // the last holder grows in place
	writeAll(c, 2, 6, 7, 4)
	if c.FreePages() != 1 {
		t.Errorf("%d pages free, want 1: two of three copied", c.FreePages())
	}
	for seq, version := range []int{3, 2, 4} {
		checkAll(t, c, seq, 0, 6, 1)
		checkAll(t, c, seq, 6, c.Len(seq), version)
	}
	for seq := range 3 {
		c.Release(seq)
	}
	if c.FreePages() != 5 {
		t.Errorf("%d pages came back, want 5", c.FreePages())
	}
}

func TestTruncateThenRewrite(t *testing.T) {
	c := newCache(t, Config{PageTokens: 4, MaxTokens: 16, MaxSeqs: 2, Context: 16})
	reserve(t, c, 0, 7)
	writeAll(c, 0, 0, 7, 1)
	c.Fork(0, 1)
	c.Truncate(1, 2)
	reserve(t, c, 1, 5)
	writeAll(c, 1, 2, 5, 2)
	checkAll(t, c, 0, 0, 7, 1)
	checkAll(t, c, 1, 0, 2, 1)
	checkAll(t, c, 1, 2, 5, 2)
	c.Truncate(0, 4)
	reserve(t, c, 0, 6) // a whole page needs no copy
	writeAll(c, 0, 4, 6, 3)
	checkAll(t, c, 0, 0, 4, 1)
	checkAll(t, c, 0, 4, 6, 3)
}

func TestReserveErrors(t *testing.T) {
	c := newCache(t, Config{PageTokens: 4, MaxTokens: 8, MaxSeqs: 2, Context: 10})
	reserve(t, c, 0, 5)
	err := c.Reserve(1, 1)
	var pages *OutOfPagesError
	const wantPages = "kv cache: sequence 1 needs 1 more pages, 0 are free; " +
		"release a sequence or raise the maximum of tokens"
	if !errors.As(err, &pages) || err.Error() != wantPages {
		t.Errorf("%v, want %s", err, wantPages)
	}
	err = c.Reserve(0, 11)
	var context *ContextError
	const wantContext = "kv cache: sequence 0 would hold 11 positions, the context is 10; " +
		"shorten the prompt or raise the context"
	if !errors.As(err, &context) || err.Error() != wantContext {
		t.Errorf("%v, want %s", err, wantContext)
	}
	c.Fork(0, 1) // growing the fork must copy, for which no page is left
	if err := c.Reserve(1, 6); !errors.As(err, &pages) || *pages != (OutOfPagesError{1, 1, 0}) {
		t.Errorf("%v", err)
	}
	if c.Len(0) != 5 || c.Len(1) != 5 || c.FreePages() != 0 {
		t.Errorf("a refused request changed the cache: %d, %d, %d", c.Len(0), c.Len(1), c.FreePages())
	}
	reserve(t, c, 1, 3) // shorter than it is: nothing to do
	if c.Len(1) != 5 {
		t.Errorf("Len %d", c.Len(1))
	}
}

func TestConcurrentWrites(t *testing.T) {
	c := newCache(t, Config{PageTokens: 4, MaxTokens: 64, MaxSeqs: 2, Context: 32})
	reserve(t, c, 0, 30)
	reserve(t, c, 1, 30)
	var group sync.WaitGroup
	for seq := range 2 {
		for pos := range 30 {
			group.Go(func() { writeAll(c, seq, pos, pos+1, seq) })
		}
	}
	group.Wait()
	checkAll(t, c, 0, 0, 30, 0)
	checkAll(t, c, 1, 0, 30, 1)
}

func TestBugsPanic(t *testing.T) {
	c := newCache(t, Config{PageTokens: 4, MaxTokens: 8, MaxSeqs: 2, Context: 8})
	reserve(t, c, 0, 2)
	c.Fork(0, 1)
	row := make([]float32, 6)
	for want, f := range map[string]func(){
		"BUG: sequence 2 of 2":                               func() { c.Len(2) },
		"BUG: position 2 of sequence 0 with 2 positions":     func() { c.Row(0, 0, 2, row) },
		"BUG: slot 3 of 3":                                   func() { c.Row(3, 0, 0, row) },
		"BUG: page 1 of sequence 0 with 1 pages":             func() { c.Page(0, 0, 1) },
		"BUG: fork into sequence 1, which holds 2 positions": func() { c.Fork(0, 1) },
		"BUG: sequence 0 of 2 positions truncated to 3":      func() { c.Truncate(0, 3) },
		"BUG: write to position 0 of sequence 0, which it shares": func() {
			c.Write(0, 0, 0, row)
		},
		"BUG: row of 5 values for slot k, which takes 2 heads of width 3": func() {
			c.Row(0, 0, 0, row[:5])
		},
	} {
		if got := panicOf(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func panicOf(f func()) (message any) {
	defer func() { message = recover() }()
	f()
	return nil
}
