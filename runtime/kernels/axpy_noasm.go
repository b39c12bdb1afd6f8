//go:build !amd64 || purego

package kernels

func axpyF32(y []float32, a float32, x []float32) { axpyF32Generic(y, a, x) }
func axpyF16(y []float32, a float32, x []uint16)  { axpyF16Generic(y, a, x) }
func axpyI8(y []float32, a float32, x []int8)     { axpyI8Generic(y, a, x) }
