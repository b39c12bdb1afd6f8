package cpucard

// embed is rows of a table by id.
type embed struct {
	Name      string
	Width     int
	TableRows int
	MaxTokens int
	Step      bool
}

func (s embed) check(c *checker) {
	c.rows("MaxTokens", s.MaxTokens)
	c.width("Width", s.Width, 16)
	c.between("TableRows", s.TableRows, 1, maxCount)
}

func (s embed) signature() signature {
	sig := signature{in: []string{"ids", "table"}, out: []string{"out"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}}}
	if s.Step {
		sig.scalars = append(sig.scalars, scalar{"tableRows", 1, s.TableRows})
	}
	return sig
}

func (s embed) run(c *call) error {
	tokens, rows := c.value("tokens"), s.TableRows
	if s.Step {
		rows = c.value("tableRows")
	}
	ids, table := c.i32("ids", tokens, lanes), c.f16("table", rows, s.Width)
	out := c.f16("out", tokens, s.Width)
	if c.err != nil {
		return c.err
	}
	for t := range tokens {
		if err := within("ids", t, ids[t*lanes], rows); err != nil {
			return err
		}
	}
	return c.each(tokens, s.Width, func(_ *scratch, t int) {
		copy(out[t*s.Width:(t+1)*s.Width], table[int(ids[t*lanes])*s.Width:])
	})
}
