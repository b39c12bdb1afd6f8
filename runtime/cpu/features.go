package cpu

import "github.com/klauspost/cpuid/v2"

// What the processor and the operating system together support, read once at start. A bit
// is set only if the operating system also saves the registers it needs.
var (
	// HasAVX2 means AVX2 with F16C, which every AVX2 processor has in practice.
	HasAVX2 = cpuid.CPU.Supports(cpuid.AVX2, cpuid.F16C)
	// HasFMA means FMA3. No kernel uses it: a fused result differs from the generic code.
	HasFMA = cpuid.CPU.Supports(cpuid.FMA3)
	// HasAVX512 means AVX-512 F, BW, DQ and VL.
	HasAVX512 = cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL)
	// HasVNNI means the byte dot products of AVX-512 VNNI.
	HasVNNI = HasAVX512 && cpuid.CPU.Supports(cpuid.AVX512VNNI)
	// HasBF16 means AVX-512 BF16. No kernel uses it: it flushes subnormals and fuses.
	HasBF16 = HasAVX512 && cpuid.CPU.Supports(cpuid.AVX512BF16)
)

// Name is the processor's brand string, empty where the machine does not tell.
func Name() string { return cpuid.CPU.BrandName }

// CacheSizes are bytes a core sees; 0 where the machine does not tell.
type CacheSizes struct {
	Line int // cache line
	L1D  int // first level, data
	L2   int // second level
	L3   int // third level, shared between cores
}

// Caches returns the cache sizes of the core that started the program.
func Caches() CacheSizes {
	c := cpuid.CPU.Cache
	return CacheSizes{
		Line: max(cpuid.CPU.CacheLine, 0),
		L1D:  max(c.L1D, 0),
		L2:   max(c.L2, 0),
		L3:   max(c.L3, 0),
	}
}
