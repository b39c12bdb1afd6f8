package interp

// attend: for every token the rows of its sequence up to its own position (the last
// window of them, if there is a window), and for every query head softmax(scale·q·k)·v.
func attend(c *call) error {
	positions, sequences := c.args[3].I32, c.args[4].I32
	for t, p := range positions {
		if sequences[t] == padding {
			continue
		}
		if err := checkPlace(t, p, sequences[t]); err != nil {
			return err
		}
		first := int64(0)
		if window := c.n.Int("window"); window > 0 {
			first = max(0, int64(p)-window+1)
		}
		keys, err := c.rows[1].span(sequences[t], int32(first), p)
		if err != nil {
			return err
		}
		values, err := c.rows[2].span(sequences[t], int32(first), p)
		if err != nil {
			return err
		}
		attendToken(c, t, keys, values)
	}
	return nil
}

func attendToken(c *call, t int, keys, values [][]float32) {
	q, y := c.args[0], c.out[0]
	heads, kvHeads := int(q.Shape[1]), c.rows[1].heads()
	wide, out := q.Last(), y.Last()
	for h := range heads {
		from := h / (heads / kvHeads)
		p := scores(rowOf(q.F32, t*heads+h, wide), keys, from, c.n.Float("scale"))
		softmaxRow(p, p)
		mix(rowOf(y.F32, t*heads+h, out), p, values, from)
	}
}

// scores: q·k in f64, rounded to f32, then · scale rounded.
func scores(q []float32, keys [][]float32, head int, scale float32) []float32 {
	s := make([]float32, len(keys))
	for j, row := range keys {
		s[j] = float32(float32(dot(q, rowOf(row, head, len(q)))) * scale)
	}
	return s
}

// mix: y = Σ p[j]·v[j] in f64, positions ascending, rounded once.
func mix(y, p []float32, values [][]float32, head int) {
	for i := range y {
		sum := 0.0
		for j, row := range values {
			sum += float64(p[j]) * float64(row[head*len(y)+i])
		}
		y[i] = float32(sum)
	}
}
