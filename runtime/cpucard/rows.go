package cpucard

import "moge/runtime/kernels"

// dispatch is the int8 row and the scale of each sorted row's token.
type dispatch struct {
	Name      string
	Width     int
	PerToken  int
	MaxTokens int
	Static    bool
}

func (s dispatch) check(c *checker) {
	c.width("Width", s.Width, 32)
	c.between("PerToken", s.PerToken, 1, lanes)
	c.rows("MaxTokens", s.MaxTokens)
}

func (s dispatch) signature() signature {
	sig := signature{in: []string{"q", "sources"}, out: []string{"rows"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}}}
	if !s.Static {
		sig.in, sig.out = append(sig.in, "scale"), append(sig.out, "rowScale")
	}
	return sig
}

func (s dispatch) run(c *call) error {
	tokens := c.value("tokens")
	slots := tokens * s.PerToken
	q, sources, rows := c.i8("q", tokens, s.Width), c.i32("sources", slots), c.i8("rows", slots, s.Width)
	var scale, rowScale []float32
	if !s.Static {
		scale, rowScale = c.f32("scale", tokens, lanes), c.f32("rowScale", slots, lanes)
	}
	if c.err != nil {
		return c.err
	}
	for i, t := range sources {
		if err := within("sources", i, t, tokens); err != nil {
			return err
		}
	}
	return c.each(slots, s.Width, func(_ *scratch, i int) {
		t := int(sources[i])
		copy(rows[i*s.Width:(i+1)*s.Width], q[t*s.Width:])
		if !s.Static {
			copy(rowScale[i*lanes:(i+1)*lanes], scale[t*lanes:])
		}
	})
}

// combine is the weighted sum of the rows of each token, ascending.
type combine struct {
	Name      string
	Width     int
	PerToken  int
	MaxTokens int
	Ascending bool
	Shared    bool
}

func (s combine) check(c *checker) {
	c.width("Width", s.Width, 16)
	c.between("PerToken", s.PerToken, 1, lanes)
	c.rows("MaxTokens", s.MaxTokens)
}

func (s combine) signature() signature {
	sig := signature{in: []string{"rows", "places", "weights"}, out: []string{"out"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}}}
	if !s.Ascending {
		sig.in = append(sig.in, "picks")
	}
	if s.Shared {
		sig.in = append(sig.in, "shared")
	}
	return sig
}

func (s combine) run(c *call) error {
	tokens := c.value("tokens")
	slots := tokens * s.PerToken
	rows, places := c.f16("rows", slots, s.Width), c.i32("places", tokens, lanes)
	weights, out := c.f32("weights", tokens, lanes), c.f16("out", tokens, s.Width)
	var picks []int32
	var common []uint16
	if !s.Ascending {
		picks = c.i32("picks", tokens, lanes)
	}
	if s.Shared {
		common = c.f16("shared", tokens, s.Width)
	}
	if c.err != nil {
		return c.err
	}
	if err := s.points(places, picks, tokens); err != nil {
		return err
	}
	return c.each(tokens, (s.PerToken+2)*s.Width, func(w *scratch, t int) {
		sum := grown(&w.wide, s.Width)
		clear(sum)
		for i := range s.PerToken {
			j := i
			if picks != nil {
				j = int(picks[t*lanes+i])
			}
			kernels.AxpyF16(sum, weights[t*lanes+j], rows[int(places[t*lanes+i])*s.Width:][:s.Width])
		}
		if common != nil {
			kernels.AxpyF16(sum, 1, common[t*s.Width:][:s.Width])
		}
		narrow(out[t*s.Width:(t+1)*s.Width], sum)
	})
}

// points holds that places and picks are among what there is.
func (s combine) points(places, picks []int32, tokens int) error {
	for t := range tokens {
		for i := range s.PerToken {
			if err := within("places", t, places[t*lanes+i], tokens*s.PerToken); err != nil {
				return err
			}
			if picks == nil {
				continue
			}
			if err := within("picks", t, picks[t*lanes+i], s.PerToken); err != nil {
				return err
			}
		}
	}
	return nil
}
