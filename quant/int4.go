package quant

import "fmt"

// PackInt4 joins two int4 codes into a byte as W4A8 AscendV1 tensors hold them: low in the
// low nibble. Both must lie in [-8, 7].
func PackInt4(low, high int8) int8 { return high<<4 | low&0xf }

// UnpackInt4 splits a byte into its two sign-extended int4 codes.
func UnpackInt4(packed int8) (low, high int8) { return packed << 4 >> 4, packed >> 4 }

// PackInt4Rows packs two neighbouring output rows [K] into one row dst [K]: the even row
// goes to the low nibbles. It fails on a code outside [-8, 7].
func PackInt4Rows(dst, even, odd []int8) error {
	sameLength("int4 row", len(dst), len(even))
	sameLength("int4 row", len(dst), len(odd))
	for i := range dst {
		for _, code := range [2]int8{even[i], odd[i]} {
			if code < -8 || code > 7 {
				return fmt.Errorf("element %d has the code %d, outside int4's [-8, 7]", i, code)
			}
		}
		dst[i] = PackInt4(even[i], odd[i])
	}
	return nil
}

// UnpackInt4Rows inverts PackInt4Rows.
func UnpackInt4Rows(even, odd, packed []int8) {
	sameLength("int4 row", len(even), len(packed))
	sameLength("int4 row", len(odd), len(packed))
	for i, p := range packed {
		even[i], odd[i] = UnpackInt4(p)
	}
}

// ScaleBias is the correction of one output row with int4 codes wq [K]: dst[c] =
// f32(8 * scale * sum of wq over chunk c), where dst's length cuts K into equal chunks (1
// for column-parallel linears, 16 for row-parallel ones, so that any degree that divides 16
// may slice it). The kernel reads codes as unsigned, 8 higher; this takes the 8 out again.
func ScaleBias(dst []float32, wq []int8, scale float32) error {
	if len(dst) == 0 || len(wq)%len(dst) != 0 {
		return fmt.Errorf("a row of %d int4 codes cannot be cut into %d equal chunks",
			len(wq), len(dst))
	}
	width := len(wq) / len(dst)
	for c := range dst {
		chunk := wq[c*width : (c+1)*width]
		dst[c] = float32(8 * float64(sum(chunk)) * float64(scale))
	}
	return nil
}
