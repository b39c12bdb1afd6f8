package kernels

// ArgMax is the index of the largest element; the lowest of equals wins (0 and -0 are equal),
// NaN never does. It is -1 if there is no element but NaN.
func ArgMax(x []float32) int {
	largest := maxF32(x)
	for i, v := range x {
		if v == largest {
			return i
		}
	}
	return -1
}
