package kernels

import "math"

// The exponential: n = round(x/ln 2), r = x - n ln 2 with ln 2 in two parts, the first of so
// few bits that n times it is exact; a polynomial of degree 7 in r (the coefficients are
// those of Cephes expf, S. L. Moshier); times 2^n in two factors, so that subnormal results
// come out right.
const (
	expMax  = 89   // above, the result is infinite
	expMin  = -104 // below, the result rounds to zero
	log2e   = 1.44269504088896341
	ln2High = 0.693359375
	ln2Low  = -2.12194440e-4
	expP0   = 1.9875691500e-4
	expP1   = 1.3981999507e-3
	expP2   = 8.3334519073e-3
	expP3   = 4.1665795894e-2
	expP4   = 1.6666665459e-1
	expP5   = 5.0000001201e-1
)

// Exp is e to the x with an error of at most 2 units in the last place (subnormal results
// included), by float32 operations alone: Exp(-Inf) is 0, an overflow +Inf, Exp(NaN) NaN.
func Exp(x float32) float32 {
	if x > expMax {
		x = expMax
	}
	if x < expMin {
		x = expMin
	}
	shifted := float32(x*log2e) + roundMagic
	n := shifted - roundMagic
	r := x - float32(n*ln2High)
	r -= float32(n * ln2Low)
	p := float32(expP0*r) + expP1
	p = float32(p*r) + expP2
	p = float32(p*r) + expP3
	p = float32(p*r) + expP4
	p = float32(p*r) + expP5
	p = float32(p*float32(r*r)) + r
	p++
	power := int32(math.Float32bits(shifted)) - roundMagicBits
	half := power >> 1
	return float32(p*powerOfTwo(half)) * powerOfTwo(power-half)
}

func powerOfTwo(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// Silu is x / (1 + Exp(-x)).
func Silu(x float32) float32 { return x / (1 + Exp(-x)) }

// SwiGLU sets dst[i] = Silu(gate[i]) * up[i]. dst may be gate or up.
func SwiGLU(dst, gate, up []float32) {
	need("SwiGLU", "gate", len(gate), len(dst))
	need("SwiGLU", "up", len(up), len(dst))
	swiGLU(dst, gate[:len(dst)], up[:len(dst)])
}

// Softmax replaces x by its softmax: e[i] = Exp(x[i] - max), the sum of e by the lanes of
// DotF32 (lane i of 16 takes e[i], e[i+16], ...; then upper halves onto lower), and
// x[i] = e[i]/sum. If no element is above -Inf, or one is +Inf or NaN, the result is NaN.
func Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	sum := expSum(x, maxF32(x))
	divF32(x, sum)
}

func swiGLUGeneric(dst, gate, up []float32) {
	for i := range dst {
		dst[i] = Silu(gate[i]) * up[i]
	}
}

// maxF32Generic is the largest element, NaN passed over; -Inf if there is none.
func maxF32Generic(x []float32) float32 {
	largest := float32(math.Inf(-1))
	for _, v := range x {
		if v > largest {
			largest = v
		}
	}
	return largest
}

// expSumGeneric replaces x[i] by Exp(x[i]-shift) and returns the sum.
func expSumGeneric(x []float32, shift float32) float32 {
	var sum lanes
	expLanes(x, shift, &sum)
	return reduceLanes(&sum)
}

// expLanes replaces x[i] by Exp(x[i]-shift) and adds it to lane i mod 16 of sum.
func expLanes(x []float32, shift float32, sum *lanes) {
	for i, v := range x {
		x[i] = Exp(v - shift)
		sum[i%TileRows] += x[i]
	}
}

func divF32Generic(x []float32, a float32) {
	for i := range x {
		x[i] /= a
	}
}
