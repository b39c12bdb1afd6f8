package lower

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// quantizedLinear quantizes rows of float to int8 by their maximum, multiplies, and scales back by
// channel and row: the way of activations that are quantized at run time.
func quantizedLinear(m, width, depth int) *kernel.Builder {
	k := kernel.New("quantized_linear", "y[T, N] = (q(x[T, K]) * w[N, K]) * scale[N] * amax(x)/127.")
	rows := k.Param("rows", 1, m)
	x := k.Input("x", kernel.F32, kernel.Matrix(rows, depth))
	w := k.Input("w", kernel.I8, kernel.Fractal(width, depth))
	scale := k.Input("scale", kernel.F32, kernel.Matrix(n(1), width))
	y := k.Output("y", kernel.F32, kernel.Matrix(rows, width))
	q8 := k.Output("q", kernel.I8, kernel.Matrix(rows, depth))
	s := k.Tile("scaleTile", kernel.VecTile(kernel.F32, 1, width))
	k.Load(s, scale.All())
	a := k.Tile("aTile", kernel.MatTile(kernel.I8, m, depth))
	top := k.Tile("top", kernel.VecTile(kernel.F32, m, 8))
	row := kernel.VecTile(kernel.F32, 1, depth)
	k.For("r", n(0), rows, 1, func(r kernel.Int) {
		xt, abs := k.Tile("xRow", row), k.Tile("absRow", row)
		work := k.Tile("maxWork", kernel.VecTile(kernel.F32, 1, kernel.WorkCols(kernel.F32, depth,
			false)))
		k.Load(xt, x.Rows(r, n(1)))
		k.Abs(abs, xt)
		k.ReduceMax(top.At(r).Span(n(0), n(1)), abs, work)
		amax := k.ReadFloat("amax", top.At(r))
		k.Muls(xt, xt, kernel.PickLess(kernel.F(0), amax, kernel.F(127).Div(amax), kernel.F(0)))
		whole := k.Tile("whole", kernel.VecTile(kernel.I32, 1, depth))
		half := k.Tile("narrow", kernel.VecTile(kernel.F16, 1, depth))
		q := k.Tile("qRow", kernel.VecTile(kernel.I8, 1, depth))
		k.Quantize(q, xt, whole, half)
		k.ToMat(a.At(r), q)
		k.Store(q8.Rows(r, n(1)), q)
	})
	acc := k.Tile("acc", kernel.AccTile(kernel.I32, m, width))
	b := k.Tile("wAll", kernel.MatTile(kernel.I8, width, depth))
	k.Load(b, w.All())
	k.MatMul(acc, a, b, kernel.Always())
	out := k.Tile("yTile", kernel.VecTile(kernel.F32, m, width))
	k.Drain(out, acc, kernel.DrainSpec{Scale: s})
	k.For("o", n(0), rows, 1, func(r kernel.Int) {
		k.Muls(out.At(r), out.At(r), k.ReadFloat("rs", top.At(r)).Div(kernel.F(127)))
	})
	k.Store(y.Rows(n(0), rows), out.Head(rows))
	return k
}

func TestQuantizedLinearRuns(t *testing.T) { onChips(t, runQuantizedLinear) }

func runQuantizedLinear(t *testing.T, chip *soc.Chip) {
	const m, width, depth = 16, 32, 128
	p := loweredFor(t, quantizedLinear(m, width, depth), chip)
	r := compile(t, p)
	for _, rows := range []int{1, 3, 16} {
		x, w, scale := wave(rows*depth), ramp8(width*depth, 91), wave(width)
		c := &trial{blocks: 1, seed: 9, params: map[string]int{"rows": rows}, data: map[string][]byte{
			"x": floats(x...), "w": packNZ(w, width, depth), "scale": floats(scale...)}}
		r.clean(p, c)
		for i := range rows {
			amax := float32(0)
			for _, v := range x[i*depth:][:depth] {
				amax = max(amax, float32(math.Abs(float64(v))))
			}
			q := make([]int8, depth)
			for j := range q {
				q[j] = int8(math.RoundToEven(float64(x[i*depth+j] * (127 / amax))))
				if got := int8(c.data["q"][i*depth+j]); got != q[j] {
					t.Fatalf("rows %d: q[%d, %d] = %d, want %d", rows, i, j, got, q[j])
				}
			}
			for j := range width {
				acc := int32(0)
				for d := range depth {
					acc += int32(q[d]) * int32(w[j*depth+d])
				}
				want := float32(acc) * scale[j] * (amax / 127)
				got := math.Float32frombits(binary.LittleEndian.Uint32(c.data["y"][4*(i*width+j):]))
				if got != want {
					t.Fatalf("rows %d: y[%d, %d] = %v, want %v", rows, i, j, got, want)
				}
			}
		}
	}
}

// attend is one head of attention over pages of keys and values in NZ: what exercises products of
// halves, turned operands, a stream of pages, and the way from UB to L1.
func attend(queries, pageRows, dim int) *kernel.Builder {
	k := kernel.New("attend", "o[16, D] = sum over pages of (q * K^T) * V, half in, float out.")
	pages := k.Param("pages", 1, 8)
	q := k.Input("q", kernel.F16, kernel.Matrix(n(queries), dim))
	key := k.Input("key", kernel.F16, kernel.Fractals(pages, pageRows, dim))
	value := k.Input("value", kernel.F16, kernel.Fractals(pages, pageRows, dim))
	o := k.Output("o", kernel.F32, kernel.Matrix(n(queries), dim))
	qt := k.Tile("qTile", kernel.MatTile(kernel.F16, queries, dim))
	k.Load(qt, q.All())
	sum := k.Tile("sum", kernel.VecTile(kernel.F32, queries, dim))
	k.Fill(sum, kernel.F(0))
	page := kernel.MatTile(kernel.F16, pageRows, dim)
	keys, values := k.Ring("keyTile", 2, page), k.Ring("valueTile", 2, page)
	var kt, vt kernel.Tile
	k.Stream("page", n(0), pages, 1, func(p kernel.Int) {
		kt, vt = keys.Next(), values.Next()
		k.Load(kt, key.All().In(p).Fixed(pageRows))
		k.Load(vt, value.All().In(p).Fixed(pageRows))
	}, func(p kernel.Int) {
		scores := k.Tile("scores", kernel.AccTile(kernel.F32, queries, pageRows))
		k.MatMul(scores, qt, kt, kernel.Always())
		s := k.Tile("s", kernel.VecTile(kernel.F32, queries, pageRows))
		k.Drain(s, scores, kernel.DrainSpec{})
		h := k.Tile("h", kernel.VecTile(kernel.F16, queries, pageRows))
		k.Cast(h, s, kernel.Nearest)
		pt := k.Tile("p", kernel.MatTile(kernel.F16, queries, pageRows))
		k.ToMat(pt, h)
		part := k.Tile("part", kernel.AccTile(kernel.F32, queries, dim))
		k.MatMulT(part, pt, vt, kernel.Always())
		f := k.Tile("f", kernel.VecTile(kernel.F32, queries, dim))
		k.Drain(f, part, kernel.DrainSpec{})
		k.Add(sum, sum, f)
	})
	k.Store(o.All(), sum)
	return k
}

// packHalfNZ puts a half matrix [rows, cols] in NZ.
func packHalfNZ(x []float32, rows, cols int) []byte {
	out := make([]byte, 2*rows*cols)
	for i := range rows {
		for j := range cols {
			copy(out[2*(j/16*rows*16+i*16+j%16):], halves(x[i*cols+j]))
		}
	}
	return out
}

func TestAttendRuns(t *testing.T) { onChips(t, runAttend) }

func runAttend(t *testing.T, chip *soc.Chip) {
	const queries, pageRows, dim = 16, 64, 96
	p := loweredFor(t, attend(queries, pageRows, dim), chip)
	r := compile(t, p)
	for _, pages := range []int{1, 2, 5} {
		q, ks, vs := wave(queries*dim), wave(pages*pageRows*dim), wave(pages*pageRows*dim + 7)[7:]
		c := &trial{blocks: 1, seed: 11, params: map[string]int{"pages": pages},
			data: map[string][]byte{"q": halves(q...)}}
		for i := range pages {
			at := i * pageRows * dim
			c.data["key"] = append(c.data["key"], packHalfNZ(ks[at:], pageRows, dim)...)
			c.data["value"] = append(c.data["value"], packHalfNZ(vs[at:], pageRows, dim)...)
		}
		r.clean(p, c)
		checkAttend(t, q, ks, vs, c.data["o"], queries, pages*pageRows, dim)
	}
}

// checkAttend allows for a half rounding of each score and the roundings of float sums.
func checkAttend(t *testing.T, q, ks, vs []float32, o []byte, queries, context, dim int) {
	t.Helper()
	for i := range queries {
		want, size := make([]float64, dim), make([]float64, dim)
		for c := range context {
			score := 0.0
			for d := range dim {
				score += float64(asHalf(q[i*dim+d])) * float64(asHalf(ks[c*dim+d]))
			}
			for d := range dim {
				want[d] += score * float64(asHalf(vs[c*dim+d]))
				size[d] += math.Abs(score) + 1
			}
		}
		for d := range dim {
			got := float64(math.Float32frombits(binary.LittleEndian.Uint32(o[4*(i*dim+d):])))
			if bound := size[d] * math.Ldexp(1, -10); math.Abs(got-want[d]) > bound {
				t.Fatalf("o[%d, %d] = %v, want %v within %v", i, d, got, want[d], bound)
			}
		}
	}
}

// rowsLinear multiplies a run-time number of rows in blocks of 48, and accumulates over two chunks
// of depth.
func rowsLinear() *kernel.Builder {
	const width, depth, chunk = 64, 256, 128
	k := kernel.New("rows_linear", "y[T, 64] = half(x[T, 256] * w[64, 256]), half in.")
	rows := k.Param("rows", 1, 130)
	x := k.Input("x", kernel.F16, kernel.Matrix(rows, depth))
	w := k.Input("w", kernel.F16, kernel.Fractal(width, depth))
	bias := k.Input("bias", kernel.F32, kernel.Matrix(n(1), width))
	y := k.Output("y", kernel.F16, kernel.Matrix(rows, width))
	bt := k.Tile("biasTile", kernel.VecTile(kernel.F32, 1, width))
	k.Load(bt, bias.All())
	as := k.Ring("xTile", 2, kernel.MatTile(kernel.F16, 48, chunk))
	bs := k.Ring("wTile", 2, kernel.MatTile(kernel.F16, width, chunk))
	k.Units("block", rows.CeilDiv(48), func(u kernel.Int) {
		at := k.Let("at", u.MulN(48))
		count := k.Let("count", rows.Sub(at).MinN(48))
		acc := k.Tile("acc", kernel.AccTile(kernel.F32, 48, width)).Head(count)
		k.For("k0", n(0), n(depth), chunk, func(k0 kernel.Int) {
			a, b := as.Next().Head(count), bs.Next()
			k.Load(a, x.Sub(at, count, k0, n(chunk)))
			k.Load(b, w.Sub(n(0), n(width), k0, n(chunk)))
			k.MatMul(acc, a, b, k0.Equal(n(0)))
		})
		f := k.Tile("f", kernel.VecTile(kernel.F32, 48, width)).Head(count)
		k.Drain(f, acc, kernel.DrainSpec{Bias: bt})
		h := k.Tile("h", kernel.VecTile(kernel.F16, 48, width)).Head(count)
		k.Cast(h, f, kernel.Nearest)
		k.Store(y.Rows(at, count), h)
	})
	return k
}

func TestRowsLinearRuns(t *testing.T) { onChips(t, runRowsLinear) }

func runRowsLinear(t *testing.T, chip *soc.Chip) {
	const width, depth = 64, 256
	p := loweredFor(t, rowsLinear(), chip)
	r := compile(t, p)
	for _, rows := range []int{1, 15, 16, 17, 47, 48, 49, 130} {
		x, w, bias := make([]float32, rows*depth), make([]float32, width*depth), make([]float32, width)
		for i := range x {
			x[i] = float32(i*31%15-7) / 8 // products and sums are exact in float
		}
		for i := range w {
			w[i] = float32(i*17%13-6) / 8
		}
		for i := range bias {
			bias[i] = float32(i)
		}
		c := &trial{blocks: 2, seed: 13, params: map[string]int{"rows": rows}, data: map[string][]byte{
			"x": halves(x...), "w": packHalfNZ(w, width, depth), "bias": floats(bias...)}}
		r.clean(p, c)
		y := fromHalves(c.data["y"])
		for i := range rows {
			for j := range width {
				sum := bias[j]
				for d := range depth {
					sum += x[i*depth+d] * w[j*depth+d]
				}
				if y[i*width+j] != asHalf(sum) {
					t.Fatalf("rows %d: y[%d, %d] = %v, want %v", rows, i, j, y[i*width+j], asHalf(sum))
				}
			}
		}
	}
}

// chosenLinear multiplies one block of 16 rows by the matrix that a list names.
func chosenLinear(read func(*kernel.Builder, *kernel.Global,
	kernel.Int) kernel.Int) *kernel.Builder {
	k := kernel.New("chosen_linear", "y[B, 16, 32] = int32(x[16, 64] * w[id[b], 32, 64]).")
	id := k.Input("id", kernel.I32, kernel.Matrix(n(1), 8))
	x := k.Input("x", kernel.I8, kernel.Matrix(n(16), 64))
	w := k.Input("w", kernel.I8, kernel.Fractals(n(5), 32, 64))
	y := k.Output("y", kernel.I32, kernel.Matrices(n(8), n(16), 32))
	a := k.Tile("xTile", kernel.MatTile(kernel.I8, 16, 64))
	k.Load(a, x.All())
	ring := k.Ring("wTile", 2, kernel.MatTile(kernel.I8, 32, 64))
	k.Units("block", n(8), func(b kernel.Int) {
		which := read(k, id, b)
		t := ring.Next()
		k.Load(t, w.All().In(which))
		acc := k.Tile("acc", kernel.AccTile(kernel.I32, 16, 32))
		k.MatMul(acc, a, t, kernel.Always())
		out := k.Tile("out", kernel.VecTile(kernel.I32, 16, 32))
		k.Drain(out, acc, kernel.DrainSpec{})
		k.Store(y.All().In(b), out)
	})
	return k
}

func readDirectly(k *kernel.Builder, id *kernel.Global, b kernel.Int) kernel.Int {
	return k.ReadIndex("which", id.Sub(n(0), n(1), b, n(1)), n(0), n(4))
}

func readThroughTile(k *kernel.Builder, id *kernel.Global, b kernel.Int) kernel.Int {
	ids := k.Tile("ids", kernel.VecTile(kernel.I32, 1, 8))
	k.Load(ids, id.All())
	return k.ReadInt("which", ids.Span(b, n(1)), n(0), n(4))
}

func TestChosenLinearRuns(t *testing.T) {
	onChips(t, func(t *testing.T, chip *soc.Chip) {
		runChosenLinear(t, chip, readDirectly)
		runChosenLinear(t, chip, readThroughTile)
		runChosenLinear(t, chip, readBack)
	})
}

// readBack passes what readThroughTile gives through another tile, as kernels do for the proof of
// its range.
func readBack(k *kernel.Builder, id *kernel.Global, b kernel.Int) kernel.Int {
	word := k.Tile("word", kernel.VecTile(kernel.I32, 1, 8)).Span(n(3), n(1))
	k.WriteInt(word, readThroughTile(k, id, b).AddN(3).MinN(7).SubN(3))
	return k.ReadInt("again", word, n(0), n(4))
}

func runChosenLinear(t *testing.T, chip *soc.Chip, read func(*kernel.Builder, *kernel.Global,
	kernel.Int) kernel.Int) {
	p := loweredFor(t, chosenLinear(read), chip)
	r := compile(t, p)
	x, w := ramp8(16*64, 37), ramp8(5*32*64, 53)
	ids := make([]byte, 32)
	for b := range 8 {
		binary.LittleEndian.PutUint32(ids[4*b:], uint32(b*3%5))
	}
	var packed []byte
	for e := range 5 {
		packed = append(packed, packNZ(w[e*32*64:], 32, 64)...)
	}
	c := &trial{blocks: 3, seed: 4, data: map[string][]byte{"id": ids, "x": bytesOf(x), "w": packed}}
	r.clean(p, c)
	y := fromInts(c.data["y"])
	for b := range 8 {
		for i := range 16 {
			for j := range 32 {
				sum := int32(0)
				for d := range 64 {
					sum += int32(x[i*64+d]) * int32(w[(b*3%5*32+j)*64+d])
				}
				if got := y[(b*16+i)*32+j]; got != sum {
					t.Fatalf("y[%d, %d, %d] = %d, want %d", b, i, j, got, sum)
				}
			}
		}
	}
}

// The cube gets what only the vector half can read by mail, computes what it can, and mail is opened
// only for who needs it.
func TestHowTheCubeLearnsIntegers(t *testing.T) {
	const mailed, computed = "which = S.GetValue(integersExchange[", "again = S.known("
	for _, c := range []struct {
		name           string
		read           func(*kernel.Builder, *kernel.Global, kernel.Int) kernel.Int
		mail, computes bool
	}{{"input", readDirectly, false, false}, {"tile", readThroughTile, true, false},
		{"written", readBack, true, true}} {
		p := loweredFor(t, chosenLinear(c.read), chipNamed(t, "Ascend910B4"))
		peer := *p.Peer
		cube := strings.TrimSuffix(device.Text(p), device.Text(&peer))
		if got := strings.Contains(cube, mailed); got != c.mail {
			t.Errorf("%s: mailed to the cube: %v\n%s", c.name, got, cube)
		}
		if got := strings.Contains(cube, computed); got != c.computes {
			t.Errorf("%s: computed by the cube: %v\n%s", c.name, got, cube)
		}
		if got := strings.Contains(device.Text(&peer), "S.SetValue(integersExchange["); got != c.mail {
			t.Errorf("%s: mailed by the vector half: %v", c.name, got)
		}
	}
}
