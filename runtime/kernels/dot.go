package kernels

import "moge/ir/dtype"

// DotF32 is the dot product of a and b, which must have equal lengths. Lane i of 16 starts at
// zero and takes the elements i, i+16, i+32, ... in that order, each product and each sum
// rounded; then the upper half of the lanes is added to the lower, 16 to 8 to 4 to 2 to 1
// (lane i becomes lane i + lane i+half).
func DotF32(a, b []float32) float32 {
	need("DotF32", "b", len(b), len(a))
	return dotF32(a, b[:len(a)])
}

// DotF16 is DotF32 with b in f16, widened exactly.
func DotF16(a []float32, b []uint16) float32 {
	need("DotF16", "b", len(b), len(a))
	return dotF16(a, b[:len(a)])
}

// DotI8F32 is DotF32 with b in int8, converted exactly. The caller multiplies by b's scale.
func DotI8F32(a []float32, b []int8) float32 {
	need("DotI8F32", "b", len(b), len(a))
	return dotI8F32(a, b[:len(a)])
}

func dotF32Generic(a, b []float32) float32 {
	var sum lanes
	for i, v := range a {
		sum[i%TileRows] += float32(v * b[i])
	}
	return reduceLanes(&sum)
}

func dotF16Generic(a []float32, b []uint16) float32 {
	var sum lanes
	for i, v := range a {
		sum[i%TileRows] += float32(v * dtype.F16ToF32(b[i]))
	}
	return reduceLanes(&sum)
}

func dotI8F32Generic(a []float32, b []int8) float32 {
	var sum lanes
	for i, v := range a {
		sum[i%TileRows] += float32(v * float32(b[i]))
	}
	return reduceLanes(&sum)
}

// reduceLanes adds the upper half of the lanes to the lower until one is left.
func reduceLanes(sum *lanes) float32 {
	for half := TileRows / 2; half > 0; half /= 2 {
		for i := range half {
			sum[i] += sum[i+half]
		}
	}
	return sum[0]
}
