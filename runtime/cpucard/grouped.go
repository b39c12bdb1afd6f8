package cpucard

import "fmt"

// grouped is one half of the experts of a layer.
type grouped struct {
	Name    string
	Experts int
	Hidden  int
	Width   int
	MaxRows int
	Static  bool
	Rows    int
	Tiling  tiling
	Few     tiling
}

// gateUp is gate and up with SwiGLU.
type gateUp struct{ grouped }

// down is the product with down of rows that are quantized as they are loaded.
type down struct{ grouped }

func (s grouped) check(c *checker) {
	c.between("Experts", s.Experts, 1, 1<<16)
	c.rows("MaxRows", s.MaxRows)
	c.width("Hidden", s.Hidden, 32)
	c.width("Width", s.Width, 16)
	c.between("Hidden", s.Hidden, 1, maxDepth)
	c.between("Width", s.Width, 1, maxDepth)
}

func (s grouped) signature() signature {
	sig := signature{in: []string{"x", "offsets", "weight", "weightScale"}, out: []string{"y"},
		unread: "tilings", scalars: []scalar{{"rows", 1, s.MaxRows}}}
	if s.Static {
		sig.in = append(sig.in, "fixedScale")
	}
	return sig
}

func (s gateUp) signature() signature {
	sig := s.grouped.signature()
	if !s.Static {
		sig.in = append(sig.in, "xScale")
	}
	return sig
}

func (s gateUp) run(c *call) error {
	return s.multiply(c, quantizedShape{n: 2 * s.Width, k: s.Hidden, swiglu: true})
}

func (s down) run(c *call) error {
	return s.multiply(c, quantizedShape{n: s.Hidden, k: s.Width, quantize: true})
}

func (s grouped) multiply(c *call, shape quantizedShape) error {
	shape.matrices, shape.rows, shape.static = s.Experts, c.value("rows"), s.Static
	q, offsets := c.quantized(shape), c.i32("offsets", s.Experts+1)
	if c.err != nil {
		return c.err
	}
	groups, err := groupsOf(offsets, shape.rows)
	if err != nil || len(groups) == 0 {
		return err
	}
	return q.run(c, groups)
}

// groupsOf is the rows of each expert that has some.
func groupsOf(offsets []int32, rows int) ([]group, error) {
	var out []group
	for e, next := range offsets[1:] {
		lo, hi := int(offsets[e]), int(next)
		if lo < 0 || hi < lo || hi > rows {
			return nil, fmt.Errorf("tensor offsets: expert %d has the rows from %d to %d of %d", e, lo, hi,
				rows)
		}
		if hi > lo {
			out = append(out, group{e, lo, hi - lo})
		}
	}
	return out, nil
}
