package kernels

import (
	"encoding/binary"
	"fmt"
	"testing"
)

func TestXorStreamsReadsEveryWordOnce(t *testing.T) {
	r := testRand(5)
	eachISA(t, func(t *testing.T) {
		for _, streams := range []int{1, 2, 4, 8} {
			for _, rounds := range []int{0, 1, 2, 3, 7} {
				data := make([]byte, streams*rounds*xorRound)
				want := uint32(0)
				for i := 0; i < len(data); i += 4 {
					word := r.Uint32()
					want ^= word
					binary.LittleEndian.PutUint32(data[i:], word)
				}
				for _, ahead := range []int{0, 64, 1 << 20} {
					if got := XorStreams(misalignedBytes(data), streams, ahead); got != want {
						t.Errorf(
							"%d streams of %d rounds, %d ahead: %#x, want %#x",
							streams,
							rounds,
							ahead,
							got,
							want,
						)
					}
				}
			}
		}
	})
}

func misalignedBytes(data []byte) []byte { return append(make([]byte, 3, 3+len(data)), data...)[3:] }

func TestXorStreamsChecksItsArguments(t *testing.T) {
	for _, c := range []struct{ n, streams, ahead int }{
		{512, 3, 0}, {512, 0, 0}, {511, 1, 0}, {512, 2, 0}, {512, 1, -1}, {512, 16, 0},
	} {
		func() {
			defer func() {
				want := fmt.Sprintf(
					"BUG: XorStreams: %d bytes in %d streams, %d ahead",
					c.n,
					c.streams,
					c.ahead,
				)
				if got := recover(); got != want {
					t.Errorf("%+v: panic %v, want %s", c, got, want)
				}
			}()
			XorStreams(make([]byte, c.n), c.streams, c.ahead)
		}()
	}
}

func TestMultiplyOnesCountsItsProducts(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, rounds := range []int{-1, 0, 1, 2, 3, 100, 70000} {
			if got, want := MultiplyOnes(rounds), uint32(max(rounds, 0)*OnesPerRound()); got != want {
				t.Errorf("%d rounds of %d: sum %d, want %d", rounds, OnesPerRound(), got, want)
			}
		}
	})
}
