//go:build !amd64 || purego

package kernels

func matMulI8(acc []int32, x []int8, xStride, rows int, w []int8, tiles, k int, _ []int32) {
	matMulI8Generic(acc, x, xStride, rows, w, tiles, k)
}
