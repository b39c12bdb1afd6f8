//go:build !amd64 || purego

package kernels

func dotF32(a, b []float32) float32          { return dotF32Generic(a, b) }
func dotF16(a []float32, b []uint16) float32 { return dotF16Generic(a, b) }
func dotI8F32(a []float32, b []int8) float32 { return dotI8F32Generic(a, b) }
