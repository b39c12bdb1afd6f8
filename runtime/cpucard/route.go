package cpucard

// route sorts the slots of all tokens by expert, equal ones by slot.
type route struct {
	Name      string
	Experts   int
	PerToken  int
	MaxTokens int
	Ascending bool
}

func (s route) check(c *checker) {
	c.between("Experts", s.Experts, 1, 1<<16)
	c.between("PerToken", s.PerToken, 1, lanes)
	c.rows("MaxTokens", s.MaxTokens)
}

func (s route) signature() signature {
	sig := signature{in: []string{"ids"}, out: []string{"order", "sources", "offsets", "places"},
		scalars: []scalar{{"tokens", 1, s.MaxTokens}}}
	if !s.Ascending {
		sig.out = append(sig.out, "picks")
	}
	return sig
}

func (s route) run(c *call) error {
	tokens := c.value("tokens")
	slots := tokens * s.PerToken
	r := routing{route: s, ids: c.i32("ids", tokens, lanes), order: c.i32("order", alignUp(slots, lanes)),
		sources: c.i32("sources", alignUp(slots, lanes)), places: c.i32("places", tokens, lanes),
		offsets: c.i32("offsets", alignUp(s.Experts+1, lanes))}
	if !s.Ascending {
		r.picks = c.i32("picks", tokens, lanes)
	}
	if c.err != nil {
		return c.err
	}
	next, err := r.count(tokens)
	if err != nil {
		return err
	}
	r.scatter(tokens, next)
	return nil
}

// routing is a route and its tensors. What pads a block is zeros.
type routing struct {
	route
	ids, order, sources, offsets, places, picks []int32
}

// count sets the offsets, and gives the first row of each expert.
func (r *routing) count(tokens int) (next []int32, err error) {
	clear(r.offsets)
	for t := range tokens {
		for _, e := range r.ids[t*lanes:][:r.PerToken] {
			if err := within("ids", t, e, r.Experts); err != nil {
				return nil, err
			}
			r.offsets[e+1]++
		}
	}
	for e := range r.Experts {
		r.offsets[e+1] += r.offsets[e]
	}
	return append(next, r.offsets[:r.Experts]...), nil
}

// scatter gives every slot the next row of its expert, and lists the rows of each token: in the order
// of its picks if that ascends, else in ascending order.
func (r *routing) scatter(tokens int, next []int32) {
	clear(r.order)
	clear(r.sources)
	clear(r.places)
	for t := range tokens {
		for j, e := range r.ids[t*lanes:][:r.PerToken] {
			row := next[e]
			next[e]++
			r.order[row], r.sources[row] = int32(t*r.PerToken+j), int32(t)
			r.places[t*lanes+j] = row
		}
	}
	if !r.Ascending {
		r.sortPicks(tokens)
	}
}

// sortPicks sorts the rows of each token, and remembers which of its picks each was.
func (r *routing) sortPicks(tokens int) {
	clear(r.picks)
	for t := range tokens {
		places, picks := r.places[t*lanes:][:r.PerToken], r.picks[t*lanes:][:r.PerToken]
		for i := range places {
			picks[i] = int32(i)
			for j := i; j > 0 && places[j] < places[j-1]; j-- {
				places[j], places[j-1] = places[j-1], places[j]
				picks[j], picks[j-1] = picks[j-1], picks[j]
			}
		}
	}
}
