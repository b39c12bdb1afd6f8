package kernels

import "fmt"

// Rotary turns one head x in place by the position's angles. The head is two halves, lo and
// hi, of len(x)/2 elements each, and cos and sin have at least that many:
//
//	lo' = lo*cos - hi*sin
//	hi' = hi*cos + lo*sin
//
// each product and each sum rounded. (Su et al., "RoFormer", 2021, in the half-split order of
// the Hugging Face checkpoints.)
func Rotary(x []float32, cos, sin []float32) {
	if len(x)%2 != 0 {
		panic(fmt.Sprintf("BUG: Rotary: head of %d elements", len(x)))
	}
	half := len(x) / 2
	need("Rotary", "cos", len(cos), half)
	need("Rotary", "sin", len(sin), half)
	rotary(x[:half], x[half:], cos[:half], sin[:half])
}

func rotaryGeneric(lo, hi, cos, sin []float32) {
	for i := range lo {
		l, h := lo[i], hi[i]
		lo[i] = float32(l*cos[i]) - float32(h*sin[i])
		hi[i] = float32(h*cos[i]) + float32(l*sin[i])
	}
}
