package lower

import (
	"encoding/binary"
	"math"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// topTwo finds the two greatest of each row of 64 with the lowest index on ties, by masking the
// first with a comparison.
func topTwo() *kernel.Builder {
	k := kernel.New("top_two",
		"index[T, 8] = indices of the two greatest of x[T, 64], lowest first on ties.")
	rows := k.Param("rows", 1, 40)
	x := k.Input("x", kernel.F32, kernel.Matrix(rows, 64))
	index := k.Output("index", kernel.I32, kernel.Matrix(rows, 8))
	at := k.Tile("at", kernel.VecTile(kernel.F32, 1, 64))
	k.Iota(at, kernel.F(0))
	k.Units("row", rows, func(r kernel.Int) {
		t := k.Tile("xTile", kernel.VecTile(kernel.F32, 1, 64))
		best := k.Tile("best", kernel.VecTile(kernel.F32, 1, 8))
		work := k.Tile("work", kernel.VecTile(kernel.F32, 1, kernel.WorkCols(kernel.F32, 64, true)))
		bits := k.Tile("bits", kernel.VecTile(kernel.U8, 1, 32))
		out := k.Tile("out", kernel.VecTile(kernel.I32, 1, 8))
		k.Load(t, x.Rows(r, n(1)))
		k.Fill(out, kernel.F(0))
		k.ArgMax(best, t, work)
		first := k.ReadInt("first", best.Span(n(1), n(1)).AsInt(), n(0), n(63))
		k.WriteInt(out, first)
		k.Compares(bits, at, kernel.FloatOf(first), kernel.NotEqual)
		k.Selects(t, bits, t, kernel.F(-65504))
		k.ArgMax(best, t, work)
		k.WriteInt(out.Span(n(1), n(7)), k.ReadInt("second", best.Span(n(1), n(1)).AsInt(), n(0), n(63)))
		k.Store(index.Rows(r, n(1)), out)
	})
	return k
}

func TestTopTwoRuns(t *testing.T) { onChips(t, runTopTwo) }

func runTopTwo(t *testing.T, chip *soc.Chip) {
	p := loweredFor(t, topTwo(), chip)
	r := compile(t, p)
	const rows = 11
	x := wave(rows * 64)
	x[64+3], x[64+9], x[64+20] = 2, 2, 2
	c := &trial{blocks: 2, seed: 2, params: map[string]int{"rows": rows},
		data: map[string][]byte{"x": floats(x...)}}
	r.clean(p, c)
	got := fromInts(c.data["index"])
	for i := range rows {
		first, second := -1, -1
		for j, v := range x[i*64:][:64] {
			switch {
			case first < 0 || v > x[i*64+first]:
				first, second = j, first
			case second < 0 || v > x[i*64+second]:
				second = j
			}
		}
		if int(got[8*i]) != first || int(got[8*i+1]) != second {
			t.Fatalf("row %d: %d, %d, want %d, %d", i, got[8*i], got[8*i+1], first, second)
		}
	}
}

// gatherRows copies rows of a table by index, adds them to a sum across cores, and writes them to
// pages in NZ.
func gatherRows() *kernel.Builder {
	k := kernel.New("gather_rows",
		"y[T, 64] = table[id[T]]; pages in NZ get the same rows; sum += y over rows.")
	rows := k.Param("rows", 1, 30)
	id := k.Input("id", kernel.I32, kernel.Matrix(n(1), 32))
	table := k.Input("table", kernel.F16, kernel.Matrix(n(100), 64))
	y := k.Output("y", kernel.F16, kernel.Matrix(rows, 64))
	pages := k.InOut("pages", kernel.F16, kernel.Fractals(n(2), 16, 64))
	sum := k.InOut("sum", kernel.F32, kernel.Matrix(n(1), 64))
	ids := k.Tile("ids", kernel.VecTile(kernel.I32, 1, 32))
	k.Load(ids, id.All())
	ring := k.Ring("rowTile", 2, kernel.VecTile(kernel.F16, 1, 64))
	k.Units("row", rows, func(r kernel.Int) {
		which := k.ReadInt("which", ids.Span(r, n(1)), n(0), n(99))
		t := ring.Next()
		k.Load(t, table.Rows(which, n(1)))
		k.Store(y.Rows(r, n(1)), t)
		k.Store(pages.Sub(r.Mod(16), n(1), n(0), n(64)).In(r.Div(16)), t)
		f := k.Tile("f", kernel.VecTile(kernel.F32, 1, 64))
		k.Cast(f, t, kernel.Exact)
		k.StoreAdd(sum.All(), f)
	})
	return k
}

func TestGatherRowsRuns(t *testing.T) { onChips(t, runGatherRows) }

func runGatherRows(t *testing.T, chip *soc.Chip) {
	p := loweredFor(t, gatherRows(), chip)
	r := compile(t, p)
	const rows = 19
	table := make([]float32, 100*64)
	for i := range table {
		table[i] = float32(i%61) - 30 // small integers, so that sums in any order are exact
	}
	ids := make([]byte, 32*4)
	for i := range 32 {
		binary.LittleEndian.PutUint32(ids[4*i:], uint32(i*37%100))
	}
	c := &trial{blocks: 3, seed: 6, params: map[string]int{"rows": rows},
		data: map[string][]byte{"id": ids, "table": halves(table...)}}
	r.clean(p, c)
	y, pages := fromHalves(c.data["y"]), fromHalves(c.data["pages"])
	sum := make([]float32, 64)
	for i := range rows {
		for j := range 64 {
			want := table[i*37%100*64+j]
			page := pages[i/16*16*64:]
			if y[i*64+j] != want || page[j/16*256+i%16*16+j%16] != want {
				t.Fatalf("row %d column %d: %v and %v, want %v", i, j, y[i*64+j],
					page[j/16*256+i%16*16+j%16], want)
			}
			sum[j] += want
		}
	}
	for j := range sum {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(c.data["sum"][4*j:])); got != sum[j] {
			t.Fatalf("sum[%d] = %v, want %v", j, got, sum[j])
		}
	}
}

// transposeSum needs every core's partial maximum: two phases with SyncAll between them.
func shareMax() *kernel.Builder {
	k := kernel.New("share_max", "y[T, 64] = x[T, 64] - max over all rows of x[:, 0].")
	rows := k.Param("rows", 8, 64)
	x := k.Input("x", kernel.F32, kernel.Matrix(rows, 64))
	first := k.Scratch("first", kernel.F32, kernel.Matrix(rows, 8))
	y := k.Output("y", kernel.F32, kernel.Matrix(rows, 64))
	k.Phase("each row leaves its first element", func() {
		k.Units("row", rows, func(r kernel.Int) {
			t := k.Tile("t", kernel.VecTile(kernel.F32, 1, 8))
			k.Load(t, x.Sub(r, n(1), n(0), n(8)))
			k.Store(first.Rows(r, n(1)), t)
		})
	})
	k.SyncAll()
	k.Phase("the greatest of them is taken from every row", func() {
		all := k.Tile("all", kernel.VecTile(kernel.F32, 64, 8))
		top := k.Tile("top", kernel.VecTile(kernel.F32, 1, 8))
		k.Load(all.Head(rows), first.Rows(n(0), rows))
		k.Fill(top, kernel.F(-65504))
		k.For("i", n(0), rows, 1, func(i kernel.Int) { k.Max(top, top, all.At(i)) })
		greatest := k.ReadFloat("greatest", top)
		k.Units("row", rows, func(r kernel.Int) {
			t := k.Tile("xTile", kernel.VecTile(kernel.F32, 1, 64))
			k.Load(t, x.Rows(r, n(1)))
			k.Adds(t, t, greatest.Neg())
			k.Store(y.Rows(r, n(1)), t)
		})
	})
	return k
}

func TestShareMaxRuns(t *testing.T) { onChips(t, runShareMax) }

func runShareMax(t *testing.T, chip *soc.Chip) {
	p := loweredFor(t, shareMax(), chip)
	r := compile(t, p)
	for _, rows := range []int{8, 37} {
		x := wave(rows * 64)
		c := &trial{blocks: 4, seed: 8, params: map[string]int{"rows": rows},
			data: map[string][]byte{"x": floats(x...)}}
		r.clean(p, c)
		top := float32(-65504)
		for i := range rows {
			top = max(top, x[i*64])
		}
		for i, v := range x {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(c.data["y"][4*i:])); got != v-top {
				t.Fatalf("rows %d: y[%d] = %v, want %v", rows, i, got, v-top)
			}
		}
	}
}
