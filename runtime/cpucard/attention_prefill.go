package cpucard

// prefill is causal attention of consecutive new tokens of one sequence.
type prefill struct {
	Name      string
	Heads     int
	KVHeads   int
	Dim       int
	Scale     float32
	MaxTokens int
	MaxPages  int
	PoolPages int
}

func (s prefill) check(c *checker) {
	c.attention(s.Heads, s.KVHeads, s.Dim, s.Scale, s.MaxPages, s.PoolPages)
	c.rows("MaxTokens", s.MaxTokens)
}

func (s prefill) signature() signature {
	return signature{in: []string{"q", "keys", "values", "pages"}, out: []string{"out"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}, {"start", 0, pageRows*s.MaxPages - 1},
			{"poolPages", 1, s.PoolPages}}}
}

// unitRows is the queries of a unit of a prompt: whole tiles, so that no lane is idle.
const unitRows = 64

func (s prefill) run(c *call) error {
	tokens, start, pool := c.value("tokens"), c.value("start"), c.value("poolPages")
	a := c.attention(s.Heads, s.KVHeads, s.Dim, s.Scale, tokens, pool)
	table := c.i32("pages", alignUp(s.MaxPages, lanes))
	if c.err != nil {
		return c.err
	}
	if end := start + tokens; end > s.MaxPages*pageRows {
		return outside("pages", 0, (end-1)/pageRows, s.MaxPages)
	}
	if err := checkPages(table, 0, start+tokens, pool); err != nil {
		return err
	}
	group := s.Heads / s.KVHeads
	block := max(1, unitRows/group)
	blocks, work := (tokens+block-1)/block, tokens*(start+tokens)*s.Heads*s.Dim
	return c.tasks(blocks*s.KVHeads, work, func(w *scratch, task int) {
		first, kvHead := task/s.KVHeads*block, task%s.KVHeads
		w.attend.queries = w.attend.queries[:0]
		for t := first; t < min(first+block, tokens); t++ {
			for g := range group {
				w.attend.queries = append(w.attend.queries, query{t, kvHead*group + g, start + t + 1})
			}
		}
		a.unit(&w.attend, kvHead, func(i int) int { return int(table[i]) })
	})
}
