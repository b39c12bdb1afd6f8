package kernels

import "math"

// RMSNorm normalises x by its root mean square and scales it by w, all of equal lengths:
//
//	r = 1 / sqrt(DotF32(x, x)/n + eps)
//	dst[i] = (x[i]*r) * w[i]
//
// each operation rounded to float32. dst may be x. (Zhang and Sennrich, "Root Mean Square
// Layer Normalization", 2019, equation 4.)
func RMSNorm(dst, x, w []float32, eps float32) {
	need("RMSNorm", "x", len(x), len(dst))
	need("RMSNorm", "w", len(w), len(dst))
	if len(dst) == 0 {
		return
	}
	x, w = x[:len(dst)], w[:len(dst)]
	scaleMul(dst, x, inverseRMS(x, eps), w)
}

// AddRMSNorm sets sum = x + y and dst to RMSNorm of that. sum may be x or y; dst may be x, y or
// w.
func AddRMSNorm(sum, dst, x, y, w []float32, eps float32) {
	need("AddRMSNorm", "sum", len(sum), len(dst))
	AddF32(sum[:len(dst)], x, y)
	RMSNorm(dst, sum, w, eps)
}

// inverseRMS rounds the square root of a float64 to float32, which gives the correctly
// rounded float32 square root.
func inverseRMS(x []float32, eps float32) float32 {
	mean := DotF32(x, x) / float32(len(x))
	return 1 / float32(math.Sqrt(float64(mean+eps)))
}
