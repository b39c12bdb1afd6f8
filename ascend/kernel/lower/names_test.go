package lower

import (
	"strings"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
)

// The load of a stream that runs ahead is that of the next iteration, however many names lie
// between the iteration and the access, and each name is made anew once.
func TestLoadAheadReplacesNamesOnce(t *testing.T) {
	k := kernel.New("k", "test")
	x, y, r := in(k), out(k), k.Ring("t", 2, row)
	var a kernel.Tile
	k.Stream("i", n(0), n(24), 1, func(i kernel.Int) {
		twice := k.Let("twice", i.MulN(2))
		odd := k.Let("odd", twice.AddN(1))
		a = r.Next()
		k.Load(a, x.Rows(odd.Add(i).MinN(63), n(1)))
	}, func(i kernel.Int) { k.Store(y.Rows(i, n(1)), a) })
	text := device.Text(lowered(t, k))
	for _, want := range []string{"let twice = ((i + 1) * 2)\n",
		"let odd = (twice + 1)\n", "let twice = 0\n", "x[(min((odd + (i + 1)), 63) * 64)]"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// A store of whole blocks, counted at run time, ends at the last column.
func TestStoreOfBlocksIsExact(t *testing.T) {
	k := kernel.New("k", "test")
	units := k.Param("units", 1, 4)
	x := k.Input("x", kernel.F16, kernel.Matrix(n(1), 64))
	y := k.Output("y", kernel.F16, kernel.Matrix(n(1), 64))
	a := k.Tile("t", kernel.VecTile(kernel.F16, 1, 64))
	k.Load(a, x.All())
	at := n(64).Sub(units.MulN(16))
	k.Store(y.Sub(n(0), n(1), at, units.MulN(16)), a.Span(n(0), units.MulN(16)))
	lowered(t, k)
}
