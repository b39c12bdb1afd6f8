package cpudevice

import (
	"fmt"

	"moge/formats/bundle"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// checkIndices refuses elements that are not from 0 to n-1.
func checkIndices(what string, values []int32, n int) error {
	for i, v := range values {
		if v < 0 || int(v) >= n {
			return fmt.Errorf("%s %d is %d, want 0 to %d", what, i, v, n-1)
		}
	}
	return nil
}

// bindEmbed: row ids[t] of a table of any float type, as f32; of a part of a table zeros for what it
// does not have.
func bindEmbed(b *binder) func(*machine) error {
	ids, y := arg[int32](b, 0, 1), result[float32](b, 0, 2)
	s, table := b.section(1)
	if s == nil || s.Layout != "row" || len(s.Shape) != 2 || !bundle.DType(s.Dtype).Float() {
		b.fail("argument 1 is not a table of floats, row by row")
		return nil
	}
	d, width := bundle.DType(s.Dtype), int(s.Shape[1])
	b.wantShape("result 0", y.shape, shape.Shape{ids.shape[0], shape.Fixed(s.Shape[1])})
	outside, vocabulary := b.optionalInt("outside"), int(s.Shape[0])
	b.want(outside <= 1, "outside is %d, want 0 or 1", outside)
	pitch := int(d.Bytes(1)) * width
	return func(m *machine) error {
		rows := ids.flat(m)
		if outside == 0 {
			if err := checkIndices("token", rows, vocabulary); err != nil {
				return err
			}
		}
		return m.each(len(rows), width, func(t int) {
			if rows[t] < 0 || int(rows[t]) >= vocabulary {
				clear(y.row(t))
				return
			}
			dtype.Decode(d, y.row(t), table[int(rows[t])*pitch:][:pitch])
		})
	}
}

// bindGather: element ids[…] of a constant vector.
func bindGather(b *binder) func(*machine) error {
	ids, y := arg[int32](b, 1, anyRank), result[float32](b, 0, anyRank)
	table := arg[float32](b, 0, 1)
	wantRows(b, &table)
	b.wantShape("result 0", y.shape, ids.shape)
	return func(m *machine) error {
		at, out := ids.flat(m), y.flat(m)
		if err := checkIndices("id", at, table.width); err != nil {
			return err
		}
		for i, id := range at {
			out[i] = table.data[id]
		}
		return nil
	}
}

// bindGatherRows: row rows[l] of x.
func bindGatherRows(b *binder) func(*machine) error {
	x, rows, y := arg[float32](b, 0, 2), arg[int32](b, 1, 1), result[float32](b, 0, 2)
	wantRows(b, &x)
	b.wantShape("result 0", y.shape, shape.Shape{rows.shape[0], x.shape[1]})
	return func(m *machine) error {
		at := rows.flat(m)
		if err := checkIndices("row", at, x.count(m)); err != nil {
			return err
		}
		for l, r := range at {
			copy(y.row(l), x.row(int(r)))
		}
		return nil
	}
}

// bindIota: i·step.
func bindIota(b *binder) func(*machine) error {
	y := result[int32](b, 0, 1)
	count, step := b.int("count", 1, 1<<31), b.int("step", 0, 1<<31)
	b.want(step <= 1<<31/count, "count %d with step %d leaves i32", count, step)
	b.wantShape("result 0", y.shape, shape.Make(count))
	return func(m *machine) error {
		for i := range y.flat(m) {
			y.data[i] = int32(int64(i) * step)
		}
		return nil
	}
}
