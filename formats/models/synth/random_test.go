package synth

import (
	"bytes"
	"math"
	"testing"

	"moge/ir/dtype"
)

var floats = []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}

// TestFillInParts makes a tensor whole and in parts, of any size.
func TestFillInParts(t *testing.T) {
	for _, d := range floats {
		table := newTable(d, 0, 0.02)
		whole := make([]byte, 1003*table.width())
		table.fill(whole, 5, 0)
		for _, part := range []int{4, 12, 500, 1000} {
			parts := make([]byte, 0, len(whole))
			for at := 0; at < 1003; at += part {
				buf := make([]byte, min(part, 1003-at)*table.width())
				table.fill(buf, 5, uint64(at))
				parts = append(parts, buf...)
			}
			if !bytes.Equal(whole, parts) {
				t.Errorf("%v in parts of %d elements differs", d, part)
			}
		}
	}
}

// TestDistribution checks mean and deviation of a million elements. The standard error of the
// mean is std/1000 and that of the deviation about std/1400; five of them must do. Cutting the
// tails to 4096 quantiles takes 0.02% off the deviation, rounding to bf16 moves it by 2^-9 at most.
func TestDistribution(t *testing.T) {
	const n = 1 << 20
	for _, d := range floats {
		for _, want := range []struct{ mean, std float64 }{{0, 0.02}, {1, 0.1}} {
			table := newTable(d, float32(want.mean), float32(want.std))
			raw, values := make([]byte, n*table.width()), make([]float32, n)
			table.fill(raw, tensorKey(1, "x"), 0)
			dtype.Decode(d, values, raw)
			sum, squares := 0.0, 0.0
			for _, v := range values {
				sum += float64(v)
			}
			mean := sum / n
			for _, v := range values {
				squares += (float64(v) - mean) * (float64(v) - mean)
			}
			std := math.Sqrt(squares / n)
			if math.Abs(mean-want.mean) > 0.005*want.std || math.Abs(std/want.std-1) > 0.006 {
				t.Errorf("%v: mean %v and deviation %v, want %v", d, mean, std, want)
			}
		}
	}
}

// TestSplitMix pins the generator to its published first outputs for the seed 1234567.
func TestSplitMix(t *testing.T) {
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := mix(1234567, uint64(i)); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
}

func TestTensorKeysDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(3) {
		for _, name := range []string{"", "a", "b", "lm_head.weight"} {
			key := tensorKey(seed, name)
			if seen[key] {
				t.Errorf("seed %d and name %q share a key", seed, name)
			}
			seen[key] = true
		}
	}
}

func BenchmarkFill(b *testing.B) {
	for _, d := range []dtype.Type{dtype.BF16, dtype.F32} {
		b.Run(d.String(), func(b *testing.B) {
			table, buf := newTable(d, 0, 0.02), make([]byte, chunkBytes)
			b.SetBytes(chunkBytes)
			for b.Loop() {
				table.fill(buf, 1, 0)
			}
		})
	}
}
