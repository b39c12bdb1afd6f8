package quant

// EncodeRow quantizes one output channel w [K] of a weight to dst [K], symmetric, and
// returns its scale:
//
//	amax = max |w|;  scale = f32(amax / 127);  dst = clamp(rne(f32(w / scale)), -127, 127)
//
// (msModelSlim's per-channel min-max observer; rne is round half to even.) A scale below
// the smallest normal float32 would carry too few bits to divide by and is flushed to zero
// by some devices: such a row, like a zero row, is all zeros with scale 0. An infinity or
// NaN is a *NonFiniteError and leaves dst alone.
func EncodeRow(dst []int8, w []float32) (scale float32, err error) {
	sameLength("weight row", len(dst), len(w))
	if err := checkFinite(w); err != nil {
		return 0, err
	}
	scale = WeightScale(maxAbs(w))
	if scale == 0 {
		clear(dst)
		return 0, nil
	}
	for i, v := range w {
		dst[i] = roundClamp(v/scale, -levels)
	}
	return scale, nil
}

// WeightScale is the scale that EncodeRow takes for a row whose largest magnitude is amax,
// which must be finite: the streaming compiler measures rows in a pass of its own.
func WeightScale(amax float32) float32 {
	scale := amax / levels
	if scale < minNormal {
		return 0
	}
	return scale
}

// DecodeRow widens codes q [K] to dst [K] = f32(q * scale). It serves weights, activations
// and int8 KV rows alike.
func DecodeRow(dst []float32, q []int8, scale float32) {
	sameLength("int8 row", len(dst), len(q))
	for i, v := range q {
		dst[i] = float32(v) * scale
	}
}

// WeightErrorBound bounds |w - DecodeRow(EncodeRow(w))| for every element of a row encoded
// with scale s. With u = 2^-24:
//
// s = amax/127 (1+d), |d| <= u, is normal, so |w/s| <= 127/(1-u) < 128. The quotient is
// rounded (off by < 128u), then to an integer (off by <= 1/2; the clamp never acts, because
// 127/(1-u) rounded is below 127.5), then q*s is rounded (off by <= 127 u s). Together
//
//	s (1/2 + 128u + 127u).
//
// A flushed row (s = 0) has amax < 127 * 2^-126. The bound holds for amax <= 2^127; nearer
// to the end of float32 the decoded 127*s may overflow.
func WeightErrorBound(scale float32) float64 {
	if scale == 0 {
		return levels * minNormal
	}
	return float64(scale) * (0.5 + 255*unit)
}
