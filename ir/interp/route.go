package interp

// route sorts the flat slots t·k+j by expert, equal experts in ascending order of slot.
func route(c *call) error {
	ids, order, offsets := c.args[0].I32, c.out[0].I32, c.out[1].I32
	for slot, e := range ids {
		if err := checkIndex("expert of slot", slot, e, c.n.Int("experts")); err != nil {
			return err
		}
		offsets[e+1]++
	}
	for e := range len(offsets) - 1 {
		offsets[e+1] += offsets[e]
	}
	next := append([]int32(nil), offsets...)
	for slot, e := range ids {
		order[next[e]] = int32(slot)
		next[e]++
	}
	return nil
}

// permute: y[r] = x[order[r] / k], k slots to a row of x.
func permute(c *call) error {
	x, order, y := c.args[0], c.args[1].I32, c.out[0]
	rows := int(x.Shape[0])
	for r, slot := range order {
		if err := checkIndex("slot", r, slot, int64(len(order))); err != nil {
			return err
		}
		width := x.Len() / rows
		y.Copy(r*width, x, int(slot)/(len(order)/rows)*width, width)
	}
	return nil
}

// combine: y[t] = Σ rows[r]·w[order[r]] over the slots of token t, r ascending, product
// and sum each rounded to f32.
func combine(c *call) error {
	rows, order, w, y := c.args[0], c.args[1].I32, c.args[2], c.out[0]
	width := rows.Last()
	for r, slot := range order {
		if err := checkIndex("slot", r, slot, int64(w.Len())); err != nil {
			return err
		}
		sum := rowOf(y.F32, int(slot)/w.Last(), width)
		for i, v := range rowOf(rows.F32, r, width) {
			sum[i] += float32(v * w.F32[slot])
		}
	}
	return nil
}
