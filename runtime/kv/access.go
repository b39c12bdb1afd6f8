package kv

import "fmt"

// PageView is one page of one slot of a sequence: rows [heads][PageTokens][width] in the
// one of F32, F16 and I8 that the slot's type names. Only the first Len positions of each
// head hold values. The view aliases the cache until the sequence changes.
type PageView struct {
	F32    []float32
	F16    []uint16 // binary16 bit patterns
	I8     []int8
	Scales []float32 // [heads][PageTokens], for I8: value = code * scale
	Len    int       // positions of the sequence in this page
}

// Page views a page of a sequence; page p holds the positions from p*PageTokens on.
func (c *Cache) Page(slot, seq, page int) PageView {
	s := c.sequence(seq)
	if page < 0 || page >= len(s.pages) {
		panic(fmt.Sprintf("BUG: page %d of sequence %d with %d pages", page, seq, len(s.pages)))
	}
	view := c.slot(slot).view(s.pages[page])
	view.Len = min(s.length-page*c.config.PageTokens, c.config.PageTokens)
	return view
}

// Write stores a row [heads*width] at a position of a sequence that Reserve made its own.
// F16 rounds half to even and overflows to infinity. I8 scales each head by its largest
// magnitude as quant.EncodeDynamic does; a non-finite row reads back as NaN.
func (c *Cache) Write(slot, seq, pos int, row []float32) {
	page, at := c.place(seq, pos)
	if c.refs[page] > 1 {
		panic(fmt.Sprintf("BUG: write to position %d of sequence %d, which it shares", pos, seq))
	}
	c.slot(slot).write(page, at, row)
}

// Row reads a row [heads*width] back as floats.
func (c *Cache) Row(slot, seq, pos int, row []float32) {
	page, at := c.place(seq, pos)
	c.slot(slot).read(page, at, row)
}

func (c *Cache) place(seq, pos int) (page int32, at int) {
	s := c.sequence(seq)
	if pos < 0 || pos >= s.length {
		panic(fmt.Sprintf("BUG: position %d of sequence %d with %d positions", pos, seq, s.length))
	}
	return s.pages[pos/c.config.PageTokens], pos % c.config.PageTokens
}

func (c *Cache) slot(slot int) *pool {
	if slot < 0 || slot >= len(c.pools) {
		panic(fmt.Sprintf("BUG: slot %d of %d", slot, len(c.pools)))
	}
	return &c.pools[slot]
}
