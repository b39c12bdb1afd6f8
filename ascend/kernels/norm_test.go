package kernels

import (
	"fmt"
	"math"
	"testing"
)

var testNorms = []NormSpec{
	{Name: "norm_plain", Width: 144, MaxRows: 64, Eps: 1e-5, Half: true},
	{Name: "norm_add", Width: 144, MaxRows: 64, Eps: 1e-5, Add: true, Half: true},
	{Name: "norm_add_int8", Width: 192, MaxRows: 64, Eps: 1e-5, Add: true, Int8: true},
	{Name: "norm_add_both", Width: 192, MaxRows: 64, Eps: 1e-5, Add: true, Half: true, Int8: true},
	{Name: "norm_true", Width: 5120, MaxRows: 1025, Eps: 1e-5, Add: true, Half: true, Int8: true},
}

func normRig(t *testing.T) *rig {
	return newRig(t, 64, all(t, Norm, testNorms)...)
}

func normInputs(s NormSpec, rows int, seed uint64) *launch {
	x := normals(seed, rows*s.Width, 3)
	y := normals(seed+100, rows*s.Width, 2)
	if rows > 2 {
		clear(x[s.Width : 2*s.Width]) // a row of zeros, and one of the greatest halves
		clear(y[s.Width : 2*s.Width])
		for i := range s.Width {
			x[2*s.Width+i], y[2*s.Width+i] = 60000, 60000
		}
	}
	c := &launch{kernel: s.Name, seed: seed, params: map[string]int{"rows": rows},
		tensors: map[string][]byte{"x": halves(x), "weight": halves(normals(seed+200, s.Width, 1))}}
	if s.Add {
		c.tensors["y"] = halves(y)
	}
	return c
}

func TestNorm(t *testing.T) {
	r := normRig(t)
	for _, s := range testNorms {
		counts := tokenCounts
		if s.Width == 5120 {
			counts = []int{1, 3, 17}
		}
		var w worst
		for i, rows := range counts {
			c := normInputs(s, rows, uint64(1+i%2))
			r.run(c)
			checkNorm(t, s, rows, c, &w)
		}
		t.Logf("%s: largest error %.2f of the bound", s.Name, w.share)
	}
}

func checkNorm(t *testing.T, s NormSpec, rows int, c *launch, w *worst) {
	t.Helper()
	sum := c.halves("x")
	if s.Add {
		got := c.halves("sum")
		for i, y := range c.halves("y") {
			sum[i] = max(-65504, min(65504, asHalf(sum[i]+y)))
			if got[i] != sum[i] {
				t.Fatalf("%s: sum[%d] = %v, want %v", s.Name, i, got[i], sum[i])
			}
		}
	}
	for row := range rows {
		if s.Half {
			checkNormRow(t, s, sum[row*s.Width:][:s.Width], c, row, w)
		}
		if s.Half && s.Int8 {
			checkQuantized(t, s, c, row)
		}
	}
}

// checkNormRow bounds the result by its rounding points: Σ has 6 + ceil(log2(repeats)) roundings of
// a tree, at most 13 for 5120, halved by the root; the mean, eps, root, quotient and product add
// five: 12 ulps of f32 together. Then two roundings to half, of 2^-11 or half the least subnormal.
func checkNormRow(t *testing.T, s NormSpec, sum []float32, c *launch, row int, w *worst) {
	t.Helper()
	out, weight := c.halves("out")[row*s.Width:], c.halves("weight")
	square := 0.0
	for _, v := range sum {
		square += float64(v) * float64(v)
	}
	rms := math.Sqrt(square/float64(s.Width) + float64(s.Eps))
	const half, tiny = 1.0 / 2048, 1.0 / (1 << 25)
	for i, v := range sum {
		scaled := float64(v) / rms
		want := scaled * float64(weight[i])
		bound := math.Abs(want)*(math.Pow(1+half, 2)*(1+12.0/(1<<24))-1) +
			tiny*(1+math.Abs(float64(weight[i])))*1.001
		w.within(t, fmt.Sprintf("%s: out[%d, %d]", s.Name, row, i), out[i], want, bound)
	}
}

// checkQuantized compares with the IR's quantize of the very halves that the kernel stored.
func checkQuantized(t *testing.T, s NormSpec, c *launch, row int) {
	t.Helper()
	q, scale := quantizeReference(c.halves("out")[row*s.Width:][:s.Width])
	got := c.int8s("q")[row*s.Width:]
	for i := range q {
		if got[i] != q[i] {
			t.Fatalf("%s: q[%d, %d] = %d, want %d", s.Name, row, i, got[i], q[i])
		}
	}
	for _, v := range c.floats("scale")[row*lanes:][:lanes] {
		if v != scale {
			t.Fatalf("%s: scale[%d] = %v, want %v", s.Name, row, v, scale)
		}
	}
}

// quantizeReference is the IR's quantize of one row.
func quantizeReference(x []float32) ([]int8, float32) {
	amax := float32(0)
	for _, v := range x {
		amax = max(amax, float32(math.Abs(float64(v))))
	}
	q := make([]int8, len(x))
	by := 127 / amax
	if math.IsInf(float64(by), 0) {
		return q, 0
	}
	for i, v := range x {
		q[i] = int8(max(-127, min(127, math.RoundToEven(float64(float32(v*by))))))
	}
	return q, amax / 127
}

// The int8 row alone is the one that comes with the half row.
func TestNormInt8Alone(t *testing.T) {
	r := normRig(t)
	for i, rows := range []int{1, 9} {
		seed := uint64(5 + i)
		alone, both := normInputs(testNorms[2], rows, seed), normInputs(testNorms[3], rows, seed)
		r.run(alone)
		r.run(both)
		for _, name := range []string{"sum", "q", "scale"} {
			if string(alone.tensors[name]) != string(both.tensors[name]) {
				t.Errorf("rows %d: %s differs without the half row", rows, name)
			}
		}
	}
}

func TestNormSpecs(t *testing.T) {
	for _, c := range []struct {
		spec NormSpec
		want string
	}{
		{NormSpec{Name: "a", Width: 24, MaxRows: 1, Half: true},
			"kernel a: Width is 24, must be a positive multiple of 16"},
		{NormSpec{Name: "a", Width: 48, MaxRows: 1, Int8: true},
			"kernel a: Width is 48, must be a positive multiple of 32"},
		{NormSpec{Name: "a", Width: 32, MaxRows: 0, Half: true},
			"kernel a: MaxRows is 0, must be 1 to 8192"},
		{NormSpec{Name: "a", Width: 32, MaxRows: 1},
			"kernel a: results is 0, must be Half, Int8 or both"},
	} {
		if _, err := Norm(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
