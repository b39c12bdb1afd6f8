package bundle

import "moge/formats/bundle/bundlepb"

// Degrees are those of one part of the model, at least 1 each.
type Degrees struct{ DP, EP, TP int }

// DegreesOf reads degrees; what is absent or 0 is 1.
func DegreesOf(d *bundlepb.Degrees) Degrees {
	at := func(n uint32) int { return int(max(n, 1)) }
	return Degrees{at(d.GetDp()), at(d.GetEp()), at(d.GetTp())}
}

// WeightBytes is the size of the weight files of all ranks.
func WeightBytes(m *bundlepb.Manifest) int64 {
	var n int64
	for _, r := range m.Ranks {
		n += r.Size
	}
	return n
}
