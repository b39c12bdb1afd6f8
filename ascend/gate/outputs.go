package gate

import "moge/ir/dtype"

// number is the element types of wanted values.
type number interface{ ~int8 | ~int32 | ~float32 }

// equal wants exactly the values, rows of cols, each row on whole 32-byte blocks with zeros behind
// it. The type is I8, I32, F16 or F32; halves are given as the float32 that they are.
func equal[E number](tensor string, t dtype.Type, values []E, cols int) Output {
	return Output{Tensor: tensor, Type: t, Rows: len(values) / cols, Cols: cols,
		Pitch: pitchOf(t, cols), ZeroPadding: true, Why: "exact",
		Want: func(row, col int) (value, bound float64) {
			return float64(values[row*cols+col]), 0
		}}
}

// pitchOf is the elements from one row of cols elements to the next in device memory.
func pitchOf(t dtype.Type, cols int) int { return alignUp(cols, 32*8/t.Bits()) }
