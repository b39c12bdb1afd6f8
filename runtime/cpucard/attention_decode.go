package cpucard

// decode is attention of one new token of each of several sequences.
type decode struct {
	Name         string
	Heads        int
	KVHeads      int
	Dim          int
	Scale        float32
	MaxSequences int
	MaxPages     int
	PoolPages    int
	HeadsPerUnit int
	Parts        int
}

func (s decode) check(c *checker) {
	c.attention(s.Heads, s.KVHeads, s.Dim, s.Scale, s.MaxPages, s.PoolPages)
	c.rows("MaxSequences", s.MaxSequences)
}

func (s decode) signature() signature {
	return signature{in: []string{"q", "keys", "values", "pages", "lengths"}, out: []string{"out"},
		scalars: []scalar{{"sequences", 1, s.MaxSequences}, {"poolPages", 1, s.PoolPages}}}
}

func (s decode) run(c *call) error {
	sequences, pool := c.value("sequences"), c.value("poolPages")
	a := c.attention(s.Heads, s.KVHeads, s.Dim, s.Scale, sequences, pool)
	cols := alignUp(s.MaxPages, lanes)
	table, lengths := c.i32("pages", sequences, cols), c.i32("lengths", sequences)
	if c.err != nil {
		return c.err
	}
	work := 0
	for i, n := range lengths {
		if err := within("lengths", i, n, s.MaxPages*pageRows+1); err != nil {
			return err
		}
		if err := checkPages(table[i*cols:], i, int(n), pool); err != nil {
			return err
		}
		work += int(n) * s.Heads * s.Dim
	}
	group := s.Heads / s.KVHeads
	return c.tasks(sequences*s.KVHeads, work, func(w *scratch, task int) {
		seq, kvHead := task/s.KVHeads, task%s.KVHeads
		w.attend.queries = w.attend.queries[:0]
		for g := range group {
			w.attend.queries = append(w.attend.queries, query{seq, kvHead*group + g, int(lengths[seq])})
		}
		a.unit(&w.attend, kvHead, func(i int) int { return int(table[seq*cols+i]) })
	})
}
