package interp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
)

// random is a tensor of normal values times scale.
func random(r *rand.Rand, scale float64, dims ...int64) *tensor.Tensor {
	t := tensor.New(dtype.F32, dims...)
	for i := range t.F32 {
		t.F32[i] = float32(r.NormFloat64() * scale)
	}
	return t
}

func eval(t *testing.T, op ir.Op, args list, a ...ir.Attr) list {
	t.Helper()
	out, err := Eval(op, args, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Each probability is e/total with total and quotient rounded once, so their exact sum is
// within 2·2^-24 of one, and a little for second order.
func TestSoftmaxSumsToOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, scale := range []float64{0.01, 1, 30} {
		p := eval(t, ir.OpSoftmax, list{random(r, scale, 50, 67)})[0]
		for row := range 50 {
			sum := 0.0
			for _, v := range rowOf(p.F32, row, 67) {
				sum += float64(v)
			}
			if math.Abs(sum-1) > 2.1/(1<<24) {
				t.Errorf("scale %v, row %d sums to %.9f", scale, row, sum)
			}
		}
	}
}

// A quantized row gives back every element within half a step, and its largest one
// exactly as ±127; the step is off by its own rounding and that of the inverse.
func TestQuantizeIsWithinHalfAStep(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	x := random(r, 3, 40, 65)
	out := eval(t, ir.OpQuantize, list{x})
	for row := range 40 {
		s := float64(out[1].F32[row])
		q := rowOf(out[0].I8, row, 65)
		for k, v := range rowOf(x.F32, row, 65) {
			if off := math.Abs(float64(v) - float64(q[k])*s); off > s*(0.5+127*4.0/(1<<24)) {
				t.Errorf("row %d: %v became %d steps of %v", row, v, q[k], s)
			}
		}
		if top := max(int(slices.Max(q)), -int(slices.Min(q))); top != 127 {
			t.Errorf("row %d peaks at %d", row, top)
		}
	}
}

func TestTopKAgreesWithArgMax(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	x := tensor.New(dtype.F32, 64, 9)
	for i := range x.F32 {
		x.F32[i] = float32(r.IntN(4)) // many ties
	}
	best := eval(t, ir.OpArgMaxLast, list{x})[0]
	top := eval(t, ir.OpTopK, list{x}, ir.Int("k", 9))
	for row := range 64 {
		ids := rowOf(top[1].I32, row, 9)
		if ids[0] != best.I32[row] {
			t.Errorf("row %d: topk starts at %d, argmax is %d", row, ids[0], best.I32[row])
		}
		for j := 1; j < 9; j++ {
			a, b := x.F32[row*9+int(ids[j-1])], x.F32[row*9+int(ids[j])]
			if a < b || a == b && ids[j-1] > ids[j] {
				t.Errorf("row %d: order %v of %v", row, ids, rowOf(x.F32, row, 9))
			}
		}
	}
}

// Routing loses nothing: permute, then combine with weights of one half each over two
// slots a token, gives the rows back.
func TestRoutePermuteCombineIsIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	x := random(r, 1, 17, 5)
	ids, w := tensor.New(dtype.I32, 17, 2), tensor.New(dtype.F32, 17, 2)
	for i := range ids.I32 {
		ids.I32[i], w.F32[i] = int32(r.IntN(6)), 0.5
	}
	routed := eval(t, ir.OpRoute, list{ids}, ir.Int("experts", 6))
	sorted := eval(t, ir.OpPermute, list{ids, routed[0]})[0]
	if sorted == nil || routed[1].I32[6] != 34 {
		t.Fatalf("offsets are %v", routed[1].I32)
	}
	rows := eval(t, ir.OpPermute, list{x, routed[0]})[0]
	back := eval(t, ir.OpCombine, list{rows, routed[0], w})[0]
	if diff := tensor.Diff(back, x); diff != "" {
		t.Error(diff)
	}
	owner, err := owners(routed[1].I32, 34)
	if err != nil {
		t.Fatal(err)
	}
	for at, slot := range routed[0].I32 {
		if int(ids.I32[slot]) != owner[at] {
			t.Errorf("slot %d of expert %d lies with expert %d", slot, ids.I32[slot], owner[at])
		}
	}
}

// gatePanguPro is the gating of Pangu Pro MoE as its reference states it: softmax over
// all experts, first maximum of each run of eight, then router_scale; no renormalisation.
func gatePanguPro(logits, scale []float32) (w []float32, ids []int32) {
	top := slices.Max(logits)
	sum := 0.0
	p := make([]float32, len(logits))
	for e, v := range logits {
		p[e] = float32(math.Exp(float64(v - top)))
		sum += float64(p[e])
	}
	for g := 0; g < len(p); g += 8 {
		best := g
		for e := g; e < g+8; e++ {
			p[e] /= float32(sum)
			if p[e] > p[best] {
				best = e
			}
		}
		w = append(w, p[best]*scale[best])
		ids = append(ids, int32(best))
	}
	return w, ids
}

func TestMoEGateIsThatOfPanguPro(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	identity := tensor.New(dtype.F32, 64, 64)
	for e := range 64 {
		identity.F32[65*e] = 1
	}
	logits := random(r, 3, 40, 64)
	for e := range 64 {
		logits.F32[e] = 1                     // row 0: all equal, so the first of each group wins
		logits.F32[64+e] = float32(e % 8 / 4) // row 1: ties among the last four
	}
	scale := random(r, 5, 64) // negative and large: it must not influence the choice
	out := eval(t, ir.OpMoEGate, list{logits, identity, scale}, ir.Int("groups", 8))
	for row := range 40 {
		w, ids := gatePanguPro(rowOf(logits.F32, row, 64), scale.F32)
		got := tensor.FromF32(rowOf(out[0].F32, row, 8), 8)
		if diff := tensor.Diff(got, tensor.FromF32(w, 8)); diff != "" {
			t.Errorf("weights of row %d: %s", row, diff)
		}
		if got := rowOf(out[1].I32, row, 8); !slices.Equal(got, ids) {
			t.Errorf("experts of row %d are %v, want %v", row, got, ids)
		}
	}
	plain := eval(t, ir.OpMoEGate, list{logits, identity}, ir.Int("groups", 8))
	if !slices.Equal(plain[1].I32, out[1].I32) {
		t.Error("router_scale changed which experts are chosen")
	}
	for g, id := range plain[1].I32[:16] {
		if want := int32(g%8*8 + g/8*4); id != want {
			t.Errorf("tie in row %d goes to %d, want %d", g/8, id, want)
		}
	}
	if got := plain[0].F32[0]; got != 1.0/64 {
		t.Errorf("a uniform row weighs %v, want 1/64: no renormalisation", got)
	}
}
