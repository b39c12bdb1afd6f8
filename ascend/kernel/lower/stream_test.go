package lower

import (
	"strings"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
)

// alternate stores rows of x and of z in turn, all but the last of each.
func alternate() *kernel.Builder {
	k := kernel.New("alternate", "y[2*T, 64]: rows of x and of z in turn, but for the last of each.")
	rows := k.Param("rows", 1, 40)
	x := k.Input("x", kernel.F16, kernel.Matrix(rows, 64))
	z := k.Input("z", kernel.F16, kernel.Matrix(rows, 64))
	y := k.Output("y", kernel.F16, kernel.Matrix(rows.MulN(2), 64))
	ring := k.Ring("row", 2, kernel.VecTile(kernel.F16, 1, 64))
	out := k.Ring("out", 2, kernel.VecTile(kernel.F16, 1, 64))
	more := k.Let("more", rows.SubN(1))
	var row kernel.Tile
	k.Stream("step", n(0), more.MulN(2), 1, func(i kernel.Int) {
		row = ring.Next()
		at := i.Div(2)
		k.If(i.Mod(2).Less(more.Sub(i.Div(2)).Min(n(1))),
			func() { k.Load(row, x.Rows(at, n(1))) }, func() { k.Load(row, z.Rows(at, n(1))) })
	}, func(i kernel.Int) {
		o := out.Next()
		k.Muls(o, row, kernel.F(1))
		k.Store(y.Rows(i, n(1)), o)
	})
	return k
}

// The first load of a stream has no branch for what its first step cannot be.
func TestFirstLoadOfStreamHasOneWay(t *testing.T) {
	p := lowered(t, alternate())
	text := device.Text(p)
	if x, z := strings.Count(text, ", x["), strings.Count(text, ", z["); x != 2 || z != 1 {
		t.Errorf("%d loads of x and %d of z, want 2 and 1:\n%s", x, z, text)
	}
}
