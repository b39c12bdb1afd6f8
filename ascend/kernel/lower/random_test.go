package lower

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// author writes random kernels: tiles and rings in loops, branches and streams, accessed by loads,
// vector calls, scalar reads and stores.
type author struct {
	k     *kernel.Builder
	r     *rand.Rand
	in    *kernel.Global
	out   *kernel.Global
	spare *kernel.Global
	rows  kernel.Int
	rings []*kernel.Ring
	held  map[*kernel.Ring]bool // by a block around
	depth int
}

func randomKernel(seed uint64) *kernel.Builder {
	a := &author{held: map[*kernel.Ring]bool{}, r: rand.New(rand.NewPCG(seed, 1)),
		k: kernel.New("random", "a random kernel")}
	a.rows = a.k.Param("rows", 0, 9)
	a.in = a.k.Input("in", kernel.F32, kernel.Matrix(n(64), 64))
	a.out = a.k.Output("out", kernel.F32, kernel.Matrix(n(64), 64))
	a.spare = a.k.Scratch("spare", kernel.F32, kernel.Matrix(n(64), 64))
	var tiles []kernel.Tile
	for range 1 + a.r.IntN(2) {
		tiles = append(tiles, a.k.Tile("kept", small))
	}
	for range 1 + a.r.IntN(3) {
		a.rings = append(a.rings, a.k.Ring("ring", 1+a.r.IntN(4), small))
	}
	a.body(tiles, 5)
	return a.k
}

var small = kernel.VecTile(kernel.F32, 1, 64)

func (a *author) body(tiles []kernel.Tile, length int) {
	if a.depth > 0 {
		if a.r.IntN(2) == 0 {
			tiles = append(tiles, a.k.Tile("own", small))
		}
		for _, r := range a.rings {
			if a.r.IntN(2) == 0 && !a.held[r] {
				tiles = append(tiles, r.Next())
				a.held[r] = true
				defer delete(a.held, r)
			}
		}
	}
	for range 1 + a.r.IntN(length) {
		a.stmt(tiles[:len(tiles):len(tiles)])
	}
}

func (a *author) pick(tiles []kernel.Tile) kernel.Tile { return tiles[a.r.IntN(len(tiles))] }

func (a *author) stmt(tiles []kernel.Tile) {
	k, x, y := a.k, a.pick(tiles), a.pick(tiles)
	region := func(g *kernel.Global) kernel.Region { return g.Rows(n(a.r.IntN(64)), n(1)) }
	switch c := a.r.IntN(14); {
	case c < 3:
		k.Load(x, region(a.in))
	case c < 5:
		k.Adds(x, y, kernel.F(1))
	case c == 5:
		k.Add(x, y, a.pick(tiles))
	case c < 8:
		k.Store(region(a.out), x)
	case c == 8:
		k.ReadFloat("value", x)
	case c == 9:
		k.WriteFloat(x, kernel.F(2))
	case c == 10 && a.r.IntN(2) == 0:
		k.Store(region(a.spare), x)
	case c == 10:
		k.Load(x, region(a.spare))
	default:
		a.nest(tiles)
	}
}

func (a *author) nest(tiles []kernel.Tile) {
	if a.depth == 3 {
		return
	}
	a.depth++
	defer func() { a.depth-- }()
	switch a.r.IntN(3) {
	case 0:
		a.k.For("i", n(0), a.rows, 1, func(kernel.Int) { a.body(tiles, 4) })
	case 1:
		var otherwise func()
		if a.r.IntN(2) == 0 {
			otherwise = func() { a.body(tiles, 3) }
		}
		a.k.If(n(3).Less(a.rows), func() { a.body(tiles, 3) }, otherwise)
	case 2:
		a.stream(tiles)
	}
}

// stream loads a ring of its own ahead; the use may touch anything.
func (a *author) stream(tiles []kernel.Tile) {
	ring := a.k.Ring("ahead", 2+a.r.IntN(2), small)
	var slot kernel.Tile
	a.k.Stream("j", n(0), a.rows, 1, func(kernel.Int) {
		slot = ring.Next()
		a.k.Load(slot, a.in.Rows(n(0), n(1)))
	}, func(kernel.Int) {
		a.body(append(tiles, slot), 4)
	})
}

// Whatever the program, its flags are balanced, never set twice, and order every conflict on every
// path of the abstract machine. Too many flags or the shared use of a tile by load and use of a
// stream is refused.
func TestFlagsOfRandomKernels(t *testing.T) {
	lowered, refused := 0, 0
	chips := []*soc.Chip{chip310P(t), chipNamed(t, "Ascend910B4")}
	for seed := range uint64(600) {
		k, err := randomKernel(seed).Build()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		_, err = Lower(k, chips[seed%2])
		var breaches device.RuleErrors
		switch {
		case err == nil:
			lowered++
		case errors.As(err, &breaches):
			t.Fatalf("seed %d: %v\n%s", seed, err, kernel.Text(k))
		default:
			refused++
		}
	}
	if lowered < 3*refused {
		t.Errorf("%d kernels lowered, %d refused", lowered, refused)
	}
}

// What the emulator says of order and flags agrees: it runs the printed text and knows nothing of
// how the flags were derived. Random kernels use tiles that nothing has filled, so other rules are
// left out.
func TestRandomKernelsRunInOrder(t *testing.T) {
	for i, name := range []string{"Ascend310P3", "Ascend910B4"} {
		var ps []*device.Program
		for seed := uint64(1000); len(ps) < 24; seed++ {
			k, err := randomKernel(seed).Build()
			if err != nil {
				t.Fatal(err)
			}
			k.Name = fmt.Sprintf("random_%d", seed)
			if p, err := Lower(k, chipNamed(t, name)); err == nil {
				ps = append(ps, p)
			}
		}
		r := compile(t, ps...)
		for _, p := range ps {
			for rows := range 6 {
				c := &trial{blocks: 1, params: map[string]int{"rows": rows},
					seed: uint64(i + rows + 1), data: map[string][]byte{}}
				for _, f := range r.launch(p, c) {
					scalar := f.Rule == "race-barrier" && f.Pipe == "S" // in order with itself, has no barrier
					if ofOrder[f.Rule] && !scalar {
						t.Fatalf("rows %d: %v\n%s", rows, f, device.Print(p, device.CANN8))
					}
				}
			}
		}
	}
}

// ofOrder are the emulator's rules about order and flags.
var ofOrder = map[string]bool{"race": true, "race-barrier": true, "flag-double-set": true,
	"flag-leftover": true,
	"event-id":      true, "event-pool": true, "deadlock": true}
