package kernels

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"moge/runtime/cpu"
)

// envTestLevel names a level that must be among those tested, so that a machine that should
// have it cannot pass by skipping.
const envTestLevel = "MOGE_TEST_CPU"

func TestFlagshipLevelIsTested(t *testing.T) {
	wanted := os.Getenv(envTestLevel)
	if wanted == "" {
		t.Logf("levels tested: %v", cpu.Available())
		return
	}
	isa, err := cpu.ParseISA(wanted)
	if err != nil {
		t.Fatal(err)
	}
	if isa > cpu.Best() {
		t.Fatalf("%s is %s, but this machine or build has %s", envTestLevel, isa, cpu.Best())
	}
}

// eachISA runs test under every level the machine has.
func eachISA(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	defer func(before cpu.ISA) { active = before }(active)
	for _, isa := range cpu.Available() {
		if err := Use(isa); err != nil {
			t.Fatal(err)
		}
		t.Run(isa.String(), test)
	}
}

func TestUseRejectsWhatTheMachineLacks(t *testing.T) {
	before := active
	err := Use(cpu.Best() + 1)
	want := "kernels for " + (cpu.Best() + 1).String() + ": this machine or build has " +
		cpu.Best().String() + " at most"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if active != before {
		t.Errorf("level is %v, was %v", Active(), before)
	}
}

// lengths are those around the cut-offs of the kernels: 8 and 16 elements a vector, 64 the
// largest unrolled step.
var lengths = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48,
	49, 63, 64, 65, 79, 80, 81, 127, 128, 129, 143, 144, 145, 255, 256, 257, 500}

func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }

// canary is the number of guard elements before and after a guarded slice.
const canary = 64

// guarded is a slice inside a larger one, whose other elements must keep their value.
type guarded[T int8 | uint16 | int32 | float32] struct {
	all []T
	in  []T
}

// guard makes a slice of n elements starting at an odd place, so that it is misaligned for
// vectors, with canaries around it. Its own elements are filled as well: outputs must not
// depend on what was there.
func guard[T int8 | uint16 | int32 | float32](n, shift int) guarded[T] {
	all := make([]T, n+2*canary+shift)
	for i := range all {
		all[i] = canaryValue[T]()
	}
	from := canary + shift
	return guarded[T]{all: all, in: all[from : from+n : from+n]}
}

func canaryValue[T int8 | uint16 | int32 | float32]() T { return 77 }

func (g guarded[T]) check(t *testing.T) {
	t.Helper()
	for i, v := range g.all {
		inside := i - (len(g.all) - canary - len(g.in))
		if (inside < 0 || inside >= len(g.in)) && v != canaryValue[T]() {
			t.Fatalf("element %d of a slice of %d was overwritten with %v", inside, len(g.in), v)
		}
	}
}

// misaligned copies s to a place that starts shift elements past the allocation, followed by
// nothing that may be read.
func misaligned[T int8 | uint16 | int32 | float32](s []T, shift int) []T {
	all := make([]T, len(s)+shift)
	copy(all[shift:], s)
	return all[shift:]
}

// sameBits compares bit by bit; NaN payloads are left open, so that NaN equals NaN.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !equalBits(got[i], want[i]) {
			t.Fatalf("%s: element %d of %d is %v (%#08x), want %v (%#08x)", what, i, len(got),
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

func equalBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func sameInts[T int8 | int32](t *testing.T, what string, got, want []T) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: element %d of %d is %d, want %d", what, i, len(want), got[i], want[i])
		}
	}
}

// floats are normal numbers of mixed magnitude; if special, with zeros, subnormals, infinities
// and NaN among them.
func floats(r *rand.Rand, n int, special bool) []float32 {
	odd := []float32{0, float32(math.Copysign(0, -1)), 1e-40, -3e-45, math.MaxFloat32,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 88.7, -103.9}
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(2*r.NormFloat64()))
		if special && r.IntN(8) == 0 {
			x[i] = odd[r.IntN(len(odd))]
		}
	}
	return x
}

func int8s(r *rand.Rand, n int) []int8 {
	x := make([]int8, n)
	for i := range x {
		x[i] = int8(r.IntN(256) - 128)
	}
	return x
}

func halves(r *rand.Rand, n int) []uint16 {
	x := make([]uint16, n)
	for i := range x {
		x[i] = uint16(r.Uint32())
	}
	return x
}
