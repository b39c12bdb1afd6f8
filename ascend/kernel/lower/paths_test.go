package lower

import (
	"fmt"
	"slices"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
)

// conditions makes a kernel of many conditions one after the other and a chain of Elses.
func conditions(t *testing.T) *device.Program {
	k := kernel.New("k", "test")
	y := out(k)
	a := k.Tile("t", row)
	var ps []kernel.Int
	for i := range 20 {
		ps = append(ps, k.Param(fmt.Sprintf("p%d", i), 0, 9))
	}
	for _, p := range ps[:16] {
		k.If(n(0).Less(p), func() { k.Fill(a, kernel.F(1)) }, nil)
	}
	k.If(n(0).Less(ps[16]), func() { k.Fill(a, kernel.F(1)) }, func() {
		k.If(n(0).Less(ps[17]), func() { k.Fill(a, kernel.F(2)) }, func() {
			k.If(n(0).Less(ps[18]), func() { k.Fill(a, kernel.F(3)) }, func() {
				k.Store(y.Rows(n(0), n(1)), a)
			})
		})
	})
	return lowered(t, k)
}

// Every pair of conditions is left out together on some path, and the innermost of nested Elses
// runs on one.
func TestPathsHavePairsAndNestedElses(t *testing.T) {
	p := conditions(t)
	pairs, nested := map[[2]string]bool{}, 0
	var texts []string
	for i := range 19 {
		texts = append(texts, fmt.Sprintf("0 < p%d", i))
	}
	for _, path := range device.Paths(p) {
		for i, a := range texts {
			for _, b := range texts[i+1:] {
				pairs[[2]string{a, b}] = pairs[[2]string{a, b}] || path.Skip[a] && path.Skip[b]
			}
		}
		if path.Skip[texts[16]] && path.Skip[texts[17]] && path.Skip[texts[18]] {
			nested++
		}
	}
	for pair, found := range pairs {
		if !found {
			t.Errorf("no path leaves out %s and %s", pair[0], pair[1])
		}
	}
	if nested == 0 {
		t.Error("no path runs the store")
	}
}

// Random paths hold on to half of their decisions, so that some leave out several conditions at
// every execution: then nothing that Add needs a barrier for comes before it.
func TestRandomPathsLeaveOutConditions(t *testing.T) {
	k := kernel.New("k", "test")
	rows := k.Param("rows", 1, 9)
	a, b := k.Tile("a", row), k.Tile("b", row)
	k.For("i", n(0), rows, 1, func(i kernel.Int) {
		for c := range 2 {
			k.If(i.Less(n(c)), func() { k.Fill(a, kernel.F(1)) }, nil)
		}
		k.Add(b, a, a)
	})
	p := lowered(t, k)
	random, quiet := 0, 0
	for _, path := range device.Paths(p) {
		if path.Seed == 0 {
			continue
		}
		random++
		path.Without = func(n device.Node) bool { _, ok := n.(*device.Barrier); return ok }
		found := device.Run(p, path)
		reads := func(c device.Conflict) bool { return c.What == "a" && c.Second.API == "Add" }
		if !slices.ContainsFunc(found.Conflicts, reads) {
			quiet++
		}
	}
	if quiet < 3 || quiet > random-3 {
		t.Errorf("%d of %d random paths leave out both conditions", quiet, random)
	}
}
