package weights

import (
	"slices"

	"moge/ir"
	"moge/ir/dtype"
)

// OnRank is a source as one rank of a partitioned program sees it: of what ranks have different parts
// of, evaluation gives the part of that rank. Elsewhere rank 0 is meant.
func OnRank(src Source, rank int) Source {
	v := viewOf(src)
	v.rank = rank
	return v
}

// Remember is a source whose evaluation keeps the rows that it quantized whole, so that ranks that take
// columns of the same rows one after the other read and quantize them once. It is for one unit of work.
func Remember(src Source) Source {
	v := viewOf(src)
	v.kept = map[rowsKey]quantizedRows{}
	return v
}

// view is how evaluation takes a source.
type view struct {
	Source
	rank int
	kept map[rowsKey]quantizedRows // nil keeps nothing
}

// rowsKey says what rows are of: a weight, or a rank's part of one.
type rowsKey struct {
	of        *ir.Value
	part      string
	lo, count int64
}

type quantizedRows struct {
	q      []int8
	scales []float32
}

// viewOf is a source as rank 0 sees it, which keeps nothing, unless more was said of it.
func viewOf(src Source) view {
	if v, ok := src.(view); ok {
		return v
	}
	return view{Source: src}
}

// cutsColumns reports whether v is a rank's columns of a matrix, or of each of a stack of them.
func cutsColumns(v *ir.Value) bool {
	return v.Def.Op == ir.OpShard && v.Def.Int("axis") == int64(len(v.Type.Shape)-1)
}

// CutsColumns reports whether ranks take columns of a quantized weight, whose scales are of whole rows.
func CutsColumns(values []*ir.Value) bool {
	return slices.ContainsFunc(values, func(v *ir.Value) bool {
		for v.Type.DType == dtype.I8 && len(v.Def.Args) > 0 {
			if cutsColumns(v) {
				return true
			}
			v = v.Def.Args[0]
		}
		return false
	})
}

// rankIndex is the number of a rank in the group of a shard or an own.
func rankIndex(n *ir.Node, rank int) int64 {
	if a, ok := n.Attr("index"); ok {
		return a.Int
	}
	return int64(rank) / n.Int("stride") % n.Int("size")
}

// shardRange is what a rank has of the axis that a shard cuts.
func shardRange(n *ir.Node, rank int) (lo, hi int64) {
	whole, size := n.Args[0].Type.Shape[n.Int("axis")].Coef, n.Int("size")
	block := (whole + size - 1) / size
	lo = rankIndex(n, rank) * block
	return lo, min(whole, lo+block)
}

// Part names what a rank has of constants: two ranks have the same where their parts are equal.
func Part(values []*ir.Value, rank int) string {
	var part []byte
	seen := map[*ir.Node]bool{}
	var walk func(v *ir.Value)
	walk = func(v *ir.Value) {
		n := v.Def
		if seen[n] {
			return
		}
		seen[n] = true
		switch n.Op {
		case ir.OpShard:
			part = append(part, byte(rankIndex(n, rank)), byte(rankIndex(n, rank)>>8))
		case ir.OpOwn:
			part = append(part, byte(min(1, rankIndex(n, rank))))
		}
		for _, a := range n.Args {
			walk(a)
		}
	}
	for _, v := range values {
		walk(v)
	}
	return string(part)
}

// moved reports whether an int8 weight and its scales come by the same way from another pair: rows, or
// matrices, put together or cut, or columns of the weight alone.
func moved(q, s *ir.Value) bool {
	if cutsColumns(q) {
		return true
	}
	if q.Def.Op != s.Def.Op || len(q.Def.Args) != len(s.Def.Args) || !slices.Equal(q.Def.Attrs, s.Def.Attrs) {
		return false
	}
	switch q.Def.Op {
	case ir.OpStack:
		return true
	case ir.OpConcat, ir.OpSlice, ir.OpShard:
		return q.Def.Int("axis") < int64(len(q.Type.Shape)-1)
	}
	return false
}

// quantizePieces evaluates rows where they come from.
func quantizePieces(src Source, q, s *ir.Value, lo int64, dst []int8, scales []float32) error {
	k := RowLength(q)
	if cutsColumns(q) {
		return quantizeColumns(src, q, s, lo, dst, scales)
	}
	for len(scales) > 0 {
		arg, at, run := locate(q, lo*k, viewOf(src).rank)
		rows := min(run/k, int64(len(scales)))
		if arg == nil {
			clear(dst[:rows*k])
			clear(scales[:rows])
		} else if err := Quantize(src, arg, s.Def.Args[slices.Index(q.Def.Args, arg)], at/k,
			dst[:rows*k], scales[:rows]); err != nil {
			return err
		}
		lo, dst, scales = lo+rows, dst[rows*k:], scales[rows:]
	}
	return nil
}

// quantizeColumns evaluates whole rows, whose scales are of all columns, and takes those of the rank.
func quantizeColumns(src Source, q, s *ir.Value, lo int64, dst []int8, scales []float32) error {
	from, width := q.Def.Args[0], RowLength(q)
	first, end := shardRange(q.Def, viewOf(src).rank)
	whole := RowLength(from)
	rows, err := wholeRows(src, from, s, lo, scales)
	if err != nil {
		return err
	}
	clear(dst)
	for r := range int64(len(scales)) {
		copy(dst[r*width:], rows[r*whole+first:r*whole+end])
	}
	return nil
}

// wholeRows quantizes whole rows, unless the source has kept them.
func wholeRows(src Source, q, s *ir.Value, lo int64, scales []float32) ([]int8, error) {
	v := viewOf(src)
	key := rowsKey{of: q, lo: lo, count: int64(len(scales))}
	if v.kept != nil {
		key.part = Part([]*ir.Value{q}, v.rank)
		if rows, ok := v.kept[key]; ok {
			copy(scales, rows.scales)
			return rows.q, nil
		}
	}
	rows := make([]int8, RowLength(q)*int64(len(scales)))
	if err := Quantize(src, q, s, lo, rows, scales); err != nil {
		return nil, err
	}
	if v.kept != nil {
		v.kept[key] = quantizedRows{rows, slices.Clone(scales)}
	}
	return rows, nil
}

// readPair evaluates int8 rows and scales apart.
func readPair(src Source, q, s *ir.Value, lo int64, dst []int8, scales []float32) error {
	if err := Floats(src, s, lo, scales); err != nil {
		return err
	}
	raw := make([]byte, len(dst))
	if err := Read(src, q, lo*RowLength(q), int64(len(dst)), raw); err != nil {
		return err
	}
	for i, b := range raw {
		dst[i] = int8(b)
	}
	return nil
}
