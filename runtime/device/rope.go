package device

import "moge/ir/exact"

// RopeFrequencies are theta^(-2i/dim) for the dim/2 = half pairs of a head. Package exact makes them
// the same on every machine.
func RopeFrequencies(half int, theta float64) []float32 {
	frequency := make([]float32, half)
	for i := range frequency {
		frequency[i] = float32(exact.Pow(theta, -2*float64(i)/float64(2*half)))
	}
	return frequency
}

// RopeRow sets the cosines and sines of one position: the angle is position · frequency in f32, and
// cosine and sine are rounded once. All three slices have half a head's elements.
func RopeRow(cos, sin []float32, position int32, frequency []float32) {
	for i, f := range frequency {
		angle := float64(float32(float32(position) * f))
		cos[i], sin[i] = float32(exact.Cos(angle)), float32(exact.Sin(angle))
	}
}
