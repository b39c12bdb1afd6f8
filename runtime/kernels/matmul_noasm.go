//go:build !amd64 || purego

package kernels

func matMulF32(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []float32, tiles, k int) {
	matMulF32Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
}

func matMulBF16(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	matMulBF16Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
}

func matMulF16(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []uint16, tiles, k int) {
	matMulF16Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
}

func matMulW8(dst []float32, dstStride int, x []float32, xStride, rows int,
	w []int8, tiles, k int) {
	matMulW8Generic(dst, dstStride, x, xStride, rows, w, tiles, k)
}
