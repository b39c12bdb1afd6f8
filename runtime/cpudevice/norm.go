package cpudevice

import (
	"math"

	"moge/ir/shape"
	"moge/runtime/device"
	"moge/runtime/kernels"
)

// bindRMSNorm: each row over its root mean square, times a weight.
func bindRMSNorm(b *binder) func(*machine) error {
	x, y := arg[float32](b, 0, anyRank), result[float32](b, 0, anyRank)
	wantRows(b, &x)
	w, eps := b.vector(1, x.width), b.float("eps", 0, 1)
	b.wantShape("result 0", y.shape, x.shape)
	return func(m *machine) error {
		return m.each(x.count(m), 4*x.width, func(r int) { kernels.RMSNorm(y.row(r), x.row(r), w, eps) })
	}
}

// bindAddRMSNorm: the sum of two tensors, and its norm.
func bindAddRMSNorm(b *binder) func(*machine) error {
	p, q := arg[float32](b, 0, anyRank), arg[float32](b, 1, anyRank)
	sum, y := result[float32](b, 0, anyRank), result[float32](b, 1, anyRank)
	wantRows(b, &p)
	w, eps := b.vector(2, p.width), b.float("eps", 0, 1)
	b.wantShape("argument 1", q.shape, p.shape)
	b.wantShape("result 0", sum.shape, p.shape)
	b.wantShape("result 1", y.shape, p.shape)
	return func(m *machine) error {
		return m.each(p.count(m), 4*p.width, func(r int) {
			kernels.AddRMSNorm(sum.row(r), y.row(r), p.row(r), q.row(r), w, eps)
		})
	}
}

// bindRopeTable: cosines and sines of pos · theta^(-2i/dim), the angle in f32. Package exact
// makes the table the same on every machine, and that of the interpreter.
func bindRopeTable(b *binder) func(*machine) error {
	positions := arg[int32](b, 0, 1)
	cos, sin := result[float32](b, 0, 2), result[float32](b, 1, 2)
	half := b.int("dim", 2, 1<<20) / 2
	frequency := device.RopeFrequencies(int(half), float64(b.float("theta", 1e-30, math.MaxFloat32)))
	want := shape.Shape{positions.shape[0], shape.Fixed(half)}
	b.wantShape("result 0", cos.shape, want)
	b.wantShape("result 1", sin.shape, want)
	return func(m *machine) error {
		at := positions.flat(m)
		if err := checkIndices("position", at, math.MaxInt32); err != nil {
			return err
		}
		return m.each(len(at), 64*int(half), func(t int) {
			device.RopeRow(cos.row(t), sin.row(t), at[t], frequency)
		})
	}
}

// bindRotary: each head turned by halves.
func bindRotary(b *binder) func(*machine) error {
	x, y := arg[float32](b, 0, 3), result[float32](b, 0, 3)
	cos, sin := arg[float32](b, 1, 2), arg[float32](b, 2, 2)
	wantRows(b, &x)
	b.want(x.width%2 == 0 && x.shape[1].IsFixed(), "heads of %v have no halves", x.shape)
	table := shape.Shape{x.shape[0], shape.Fixed(int64(x.width / 2))}
	b.wantShape("argument 1", cos.shape, table)
	b.wantShape("argument 2", sin.shape, table)
	b.wantShape("result 0", y.shape, x.shape)
	heads := int(x.shape[1].Coef)
	return func(m *machine) error {
		return m.each(cos.count(m), 4*heads*x.width, func(t int) {
			for h := t * heads; h < (t+1)*heads; h++ {
				copy(y.row(h), x.row(h))
				kernels.Rotary(y.row(h), cos.row(t), sin.row(t))
			}
		})
	}
}

// bindQuantizeDynamic: each row to int8 by its own largest magnitude.
func bindQuantizeDynamic(b *binder) func(*machine) error {
	x, q, s := quantizeOperands(b)
	return func(m *machine) error {
		return m.each(x.count(m), 4*x.width, func(r int) {
			s.data[r] = kernels.QuantizeRow(q.row(r), x.row(r))
		})
	}
}

// bindQuantizeStatic: each row to int8 by one largest magnitude.
func bindQuantizeStatic(b *binder) func(*machine) error {
	x, q, s := quantizeOperands(b)
	amax := b.float("amax", 0, math.MaxFloat32)
	scale := amax / 127
	if amax < kernels.MinAmax {
		scale = 0
	}
	return func(m *machine) error {
		return m.each(x.count(m), 2*x.width, func(r int) {
			kernels.QuantizeRowStatic(q.row(r), x.row(r), amax)
			s.data[r] = scale
		})
	}
}

func quantizeOperands(b *binder) (x tensor[float32], q tensor[int8], s tensor[float32]) {
	x, q, s = arg[float32](b, 0, 2), result[int8](b, 0, 2), result[float32](b, 1, 1)
	wantRows(b, &x)
	b.wantShape("result 0", q.shape, x.shape)
	b.wantShape("result 1", s.shape, x.shape[:1])
	return x, q, s
}
