package kernels

import (
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

var testRoutes = []RouteSpec{
	{Name: "route_grouped", Experts: 16, PerToken: 4, MaxTokens: 64, Ascending: true},
	{Name: "route_any", Experts: 10, PerToken: 3, MaxTokens: 64},
	{Name: "route_local", Experts: 16, PerToken: 2, MaxTokens: 1025, Ascending: true},
	{Name: "route_true", Experts: 64, PerToken: 8, MaxTokens: 1025, Ascending: true},
	{Name: "route_any_true", Experts: 128, PerToken: 8, MaxTokens: 1025},
}

// routeIDs are distinct experts for each token: one of each group where they ascend. Skew above 0
// sends all tokens to the first experts.
func routeIDs(s RouteSpec, tokens int, seed uint64, skewed bool) []int32 {
	r := rand.New(rand.NewPCG(seed, 4))
	var ids []int32
	for range tokens {
		if s.Ascending {
			size := s.Experts / s.PerToken
			for g := range s.PerToken {
				ids = append(ids, int32(g*size+pickOf(r, size, skewed)))
			}
			continue
		}
		perm := r.Perm(s.Experts)
		if skewed {
			perm = r.Perm(s.PerToken)
		}
		for _, e := range perm[:s.PerToken] {
			ids = append(ids, int32(e))
		}
	}
	return ids
}

func pickOf(r *rand.Rand, size int, skewed bool) int {
	if skewed {
		return size - 1
	}
	return r.IntN(size)
}

// routed is the IR's route: order and offsets.
func routed(ids []int32, experts int) (order, offsets []int32) {
	order = make([]int32, len(ids))
	for i := range order {
		order[i] = int32(i)
	}
	sort.SliceStable(order, func(i, j int) bool { return ids[order[i]] < ids[order[j]] })
	offsets = make([]int32, experts+1)
	for _, e := range ids {
		offsets[e+1]++
	}
	for e := range experts {
		offsets[e+1] += offsets[e]
	}
	return order, offsets
}

// rowsOfTokens is the rows of each token in ascending order, and the pick of each.
func rowsOfTokens(order []int32, perToken int) (places, picks []int32) {
	places, picks = make([]int32, len(order)), make([]int32, len(order))
	filled := make([]int, len(order)/perToken)
	for r, slot := range order {
		t := int(slot) / perToken
		places[t*perToken+filled[t]] = int32(r)
		picks[t*perToken+filled[t]] = slot % int32(perToken)
		filled[t]++
	}
	return places, picks
}

// blocksOf pads a packed vector to whole blocks.
func blocksOf(xs []int32) []int32 {
	return append(slices.Clone(xs), make([]int32, (lanes-len(xs)%lanes)%lanes)...)
}

func checkRoute(t *testing.T, r *rig, s RouteSpec, tokens int, ids []int32, seed uint64) {
	t.Helper()
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"tokens": tokens},
		tensors: map[string][]byte{"ids": ints(spread(ids, s.PerToken, lanes))}}
	r.run(c)
	order, offsets := routed(ids, s.Experts)
	places, picks := rowsOfTokens(order, s.PerToken)
	sources := make([]int32, len(order))
	for i, slot := range order {
		sources[i] = slot / int32(s.PerToken)
	}
	want := map[string][]int32{"order": blocksOf(order), "offsets": blocksOf(offsets),
		"sources": blocksOf(sources), "places": spread(places, s.PerToken, lanes)}
	if !s.Ascending {
		want["picks"] = spread(picks, s.PerToken, lanes)
	}
	for _, name := range []string{"order", "offsets", "sources", "places", "picks"} {
		if x, ok := want[name]; ok && !slices.Equal(c.ints(name)[:len(x)], x) {
			t.Fatalf("%s, %d tokens: %s is %v, want %v", s.Name, tokens, name,
				c.ints(name)[:len(x)], x)
		}
	}
}

func TestRoute(t *testing.T) {
	r := newRig(t, 64, all(t, Route, testRoutes)...)
	for _, s := range testRoutes {
		counts := tokenCounts
		if s.MaxTokens > 64 {
			counts = []int{1, 33, 1025}
		}
		for i, tokens := range counts {
			seed := uint64(1 + i%2)
			checkRoute(t, r, s, tokens, routeIDs(s, tokens, seed, i == 3), seed)
		}
	}
}

func TestRouteSpecs(t *testing.T) {
	for _, c := range []struct {
		spec RouteSpec
		want string
	}{
		{RouteSpec{Name: "a", Experts: 0, PerToken: 1, MaxTokens: 1},
			"kernel a: Experts is 0, must be 1 to 1024"},
		{RouteSpec{Name: "a", Experts: 8, PerToken: 9, MaxTokens: 1},
			"kernel a: PerToken is 9, must be 1 to 8"},
		{RouteSpec{Name: "a", Experts: 8, PerToken: 1, MaxTokens: 2000},
			"kernel a: MaxTokens is 2000, must be 1 to 1536"},
	} {
		if _, err := Route(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
