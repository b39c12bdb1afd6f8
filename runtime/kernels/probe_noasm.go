//go:build !amd64 || purego

package kernels

func xorStreams(data []byte, _, _ int) uint32 { return xorGeneric(data) }
func multiplyOnes(rounds int) uint32          { return multiplyOnesGeneric(rounds) }
func onesPerRound() int                       { return TileRows * onesDepth }
