package cpucard

import "moge/runtime/kernels"

// pageRows is the positions of a page of keys or values.
const pageRows = 256

// rotary turns queries and keys, and writes keys and values into their pages.
type rotary struct {
	Name      string
	Heads     int
	KVHeads   int
	Dim       int
	MaxTokens int
	MaxPages  int
}

func (s rotary) check(c *checker) {
	c.heads(s.Heads, s.KVHeads, s.Dim)
	c.rows("MaxTokens", s.MaxTokens)
	c.between("MaxPages", s.MaxPages, 1, maxCount)
}

// heads checks those of queries and keys.
func (c *checker) heads(heads, kvHeads, dim int) {
	c.between("Heads", heads, 1, 1<<12)
	c.between("KVHeads", kvHeads, 1, 1<<12)
	c.width("Dim", dim, 16)
	c.between("Dim", dim, 16, 1<<10)
}

func (s rotary) signature() signature {
	return signature{in: []string{"qkv", "rope", "places"}, out: []string{"q"},
		inOut:   []string{"keys", "values"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}, {"pages", 1, s.MaxPages}}}
}

func (s rotary) run(c *call) error {
	tokens, pages := c.value("tokens"), c.value("pages")
	heads, width := s.Heads+2*s.KVHeads, s.KVHeads*s.Dim
	qkv, rope := c.f16("qkv", tokens, heads*s.Dim), c.f32("rope", tokens, s.Dim)
	places, q := c.i32("places", tokens, lanes), c.f16("q", tokens, s.Heads*s.Dim)
	keys, values := c.f16("keys", pages, pageRows, width), c.f16("values", pages, pageRows, width)
	if c.err != nil {
		return c.err
	}
	for t := range tokens {
		if err := within("places", t, places[t*lanes], pages); err != nil {
			return err
		}
		if err := within("places", t, places[t*lanes+1], pageRows); err != nil {
			return err
		}
	}
	turned := grown(&c.shared.halves, tokens*width)
	err := c.each(tokens, 4*heads*s.Dim, func(w *scratch, t int) {
		row := qkv[t*heads*s.Dim:]
		s.turn(w, q[t*s.Heads*s.Dim:][:s.Heads*s.Dim], row, rope[t*s.Dim:])
		s.turn(w, turned[t*width:][:width], row[s.Heads*s.Dim:], rope[t*s.Dim:])
	})
	if err != nil {
		return err
	}
	for t := range tokens {
		page, at := int(places[t*lanes])*pageRows*width, int(places[t*lanes+1])
		putRow(keys[page:][:pageRows*width], at, turned[t*width:][:width])
		putRow(values[page:][:pageRows*width], at, qkv[t*heads*s.Dim+s.Heads*s.Dim+width:][:width])
	}
	return nil
}

// turn rotates the heads of src by halves, in f32, and rounds to half.
func (s rotary) turn(w *scratch, dst, src []uint16, rope []float32) {
	wide := grown(&w.wide, len(dst))
	widen(wide, src[:len(dst)])
	for at := 0; at < len(wide); at += s.Dim {
		kernels.Rotary(wide[at:at+s.Dim], rope[:s.Dim/2], rope[s.Dim/2:s.Dim])
	}
	narrow(dst, wide)
}

// putRow puts the row of all heads at a position of a page: NZ of [256, heads · dim].
func putRow(page []uint16, at int, row []uint16) {
	for col := 0; col < len(row); col += depthF16 {
		copy(page[col*pageRows+at*depthF16:][:depthF16], row[col:])
	}
}
