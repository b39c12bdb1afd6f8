package interp

import "fmt"

// checkIndex refuses element i of a list of indices when it is not below n.
func checkIndex(what string, i int, v int32, n int64) error {
	if v < 0 || int64(v) >= n {
		return fmt.Errorf("%s %d is %d, want 0 to %d", what, i, v, n-1)
	}
	return nil
}

func embed(c *call) error {
	ids, table, y := c.args[0].I32, c.args[1], c.out[0]
	width := table.Last()
	_, outside := c.n.Attr("outside")
	for t, id := range ids {
		if outside && (id < 0 || int64(id) >= table.Shape[0]) {
			continue
		}
		if err := checkIndex("token", t, id, table.Shape[0]); err != nil {
			return err
		}
		copy(y.F32[t*width:(t+1)*width], table.F32[int(id)*width:])
	}
	return nil
}

func takeRows(c *call) error {
	x, rows, y := c.args[0], c.args[1].I32, c.out[0]
	width := x.Last()
	for l, r := range rows {
		if err := checkIndex("row", l, r, x.Shape[0]); err != nil {
			return err
		}
		copy(y.F32[l*width:(l+1)*width], x.F32[int(r)*width:])
	}
	return nil
}

func gather(c *call) error {
	table, ids, y := c.args[0], c.args[1].I32, c.out[0]
	for i, id := range ids {
		if err := checkIndex("id", i, id, table.Shape[0]); err != nil {
			return err
		}
		y.F32[i] = table.F32[id]
	}
	return nil
}
