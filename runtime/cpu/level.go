package cpu

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// EnvLevel names the environment variable that caps the instruction set level.
const EnvLevel = "MOGE_CPU"

// ISA is an instruction set level: a set of instructions that kernels may rely on together.
// A higher level includes the lower ones.
type ISA uint8

// The levels.
const (
	Generic ISA = iota // portable Go
	AVX2               // AVX2 and F16C
	AVX512             // AVX-512 F, BW, DQ, VL and VNNI
	isaEnd
)

var isaNames = [isaEnd]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512"}

// String is the spelling that MOGE_CPU takes: generic, avx2 or avx512.
func (i ISA) String() string {
	if i >= isaEnd {
		return fmt.Sprintf("isa(%d)", uint8(i))
	}
	return isaNames[i]
}

// ParseISA reads the spelling that String writes.
func ParseISA(name string) (ISA, error) {
	for i, known := range isaNames {
		if known == name {
			return ISA(i), nil
		}
	}
	return Generic, fmt.Errorf("unknown instruction set level %q: use one of %s",
		name, strings.Join(isaNames[:], ", "))
}

// Best is the highest level this machine and this build have, whatever MOGE_CPU says.
func Best() ISA {
	switch {
	case !assembly:
		return Generic
	case HasAVX512 && HasVNNI && HasAVX2:
		return AVX512
	case HasAVX2:
		return AVX2
	}
	return Generic
}

// Available lists the levels from Generic to Best.
func Available() []ISA {
	var levels []ISA
	for i := Generic; i <= Best(); i++ {
		levels = append(levels, i)
	}
	return levels
}

// Level is the level to use: Best, or what MOGE_CPU asks for. It is read once. An unknown
// value, or a level that the machine or the build lacks, is an error for the user; the level
// beside it is then Generic.
func Level() (ISA, error) { return level() }

var level = sync.OnceValues(func() (ISA, error) {
	return choose(os.Getenv(EnvLevel), Best())
})

func choose(wanted string, best ISA) (ISA, error) {
	if wanted == "" {
		return best, nil
	}
	isa, err := ParseISA(wanted)
	if err != nil {
		return Generic, fmt.Errorf("environment variable %s: %w", EnvLevel, err)
	}
	if isa > best {
		return Generic, fmt.Errorf("environment variable %s: this machine or build lacks %s: "+
			"unset it or use %s", EnvLevel, isa, best)
	}
	return isa, nil
}
