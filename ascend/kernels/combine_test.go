package kernels

import (
	"testing"
)

var testDispatches = []DispatchSpec{
	{Name: "dispatch_small", Width: 64, PerToken: 3, MaxTokens: 64},
	{Name: "dispatch_true", Width: 5120, PerToken: 8, MaxTokens: 1025},
}

var testCombines = []CombineSpec{
	{Name: "combine_grouped", Width: 48, PerToken: 4, MaxTokens: 64, Ascending: true, Shared: true},
	{Name: "combine_any", Width: 48, PerToken: 3, MaxTokens: 64},
	{Name: "combine_true", Width: 5120, PerToken: 8, MaxTokens: 1025, Ascending: true,
		Shared: true},
}

// sortedRows is the order of random ids.
func sortedRows(tokens, perToken int, ascending bool, seed uint64) []int32 {
	s := RouteSpec{Experts: 4 * perToken, PerToken: perToken, Ascending: ascending}
	order, _ := routed(routeIDs(s, tokens, seed, false), s.Experts)
	return order
}

func TestDispatch(t *testing.T) {
	r := newRig(t, 64, all(t, Dispatch, testDispatches)...)
	for _, s := range testDispatches {
		counts := tokenCounts
		if s.Width == 5120 {
			counts = []int{1, 17}
		}
		for i, tokens := range counts {
			checkDispatch(t, r, s, tokens, uint64(1+i%2))
		}
	}
}

func checkDispatch(t *testing.T, r *rig, s DispatchSpec, tokens int, seed uint64) {
	t.Helper()
	order := sortedRows(tokens, s.PerToken, false, seed)
	sources := make([]int32, len(order))
	for i, slot := range order {
		sources[i] = slot / int32(s.PerToken)
	}
	q := make([]int8, tokens*s.Width)
	for i := range q {
		q[i] = int8(i*37%255 - 127)
	}
	scale := normals(seed, tokens*lanes, 1)
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"tokens": tokens}}
	c.tensors = map[string][]byte{
		"q": int8s(q), "scale": floats(scale), "sources": ints(sources)}
	r.run(c)
	rows, rowScale := c.int8s("rows"), c.floats("rowScale")
	for i, from := range sources {
		for j := range s.Width {
			if got, want := rows[i*s.Width+j], q[int(from)*s.Width+j]; got != want {
				t.Fatalf("%s: rows[%d, %d] = %d, want %d", s.Name, i, j, got, want)
			}
		}
		for j := range lanes {
			if got, want := rowScale[i*lanes+j], scale[int(from)*lanes+j]; got != want {
				t.Fatalf("%s: rowScale[%d] = %v, want %v", s.Name, i, got, want)
			}
		}
	}
}

func TestCombine(t *testing.T) {
	r := newRig(t, 64, all(t, Combine, testCombines)...)
	for _, s := range testCombines {
		counts := tokenCounts
		if s.Width == 5120 {
			counts = []int{1, 17}
		}
		for i, tokens := range counts {
			checkCombine(t, r, s, tokens, uint64(1+i%2))
		}
	}
}

func checkCombine(t *testing.T, r *rig, s CombineSpec, tokens int, seed uint64) {
	t.Helper()
	order := sortedRows(tokens, s.PerToken, s.Ascending, seed)
	places, picks := rowsOfTokens(order, s.PerToken)
	rows := normals(seed, len(order)*s.Width, 3)
	weights := normals(seed+1, len(order), 0.3)
	shared := normals(seed+2, tokens*s.Width, 3)
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"tokens": tokens}}
	c.tensors = map[string][]byte{
		"rows": halves(rows), "places": ints(spread(places, s.PerToken, lanes)),
		"weights": floats(spread(weights, s.PerToken, lanes))}
	if !s.Ascending {
		c.tensors["picks"] = ints(spread(picks, s.PerToken, lanes))
	}
	if s.Shared {
		c.tensors["shared"] = halves(shared)
	}
	r.run(c)
	want := combined(rows, order, weights, s)
	for i, got := range c.halves("out")[:tokens*s.Width] {
		if s.Shared {
			want[i] += shared[i]
		}
		if got != asHalf(want[i]) {
			t.Fatalf("%s, %d tokens: out[%d] = %v, want %v", s.Name, tokens, i, got,
				asHalf(want[i]))
		}
	}
}

// combined is the IR's combine.
func combined(rows []float32, order []int32, weights []float32, s CombineSpec) []float32 {
	out := make([]float32, len(order)/s.PerToken*s.Width)
	for r, slot := range order {
		y := out[int(slot)/s.PerToken*s.Width:][:s.Width]
		for i := range y {
			y[i] += float32(rows[r*s.Width+i] * weights[slot])
		}
	}
	return out
}

func TestCombineSpecs(t *testing.T) {
	for _, c := range []struct {
		spec CombineSpec
		want string
	}{
		{CombineSpec{Name: "a", Width: 8, PerToken: 1, MaxTokens: 1},
			"kernel a: Width is 8, must be a positive multiple of 16"},
		{CombineSpec{Name: "a", Width: 16, PerToken: 9, MaxTokens: 1},
			"kernel a: PerToken is 9, must be 1 to 8"},
	} {
		if _, err := Combine(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}

func TestDispatchSpecs(t *testing.T) {
	for _, c := range []struct {
		spec DispatchSpec
		want string
	}{
		{DispatchSpec{Name: "a", Width: 48, PerToken: 1, MaxTokens: 1},
			"kernel a: Width is 48, must be a positive multiple of 32"},
		{DispatchSpec{Name: "a", Width: 32, PerToken: 1},
			"kernel a: MaxTokens is 0, must be 1 to 8192"},
	} {
		if _, err := Dispatch(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
