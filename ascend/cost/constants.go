package cost

import "slices"

// Constant is a number of the model that no table of chips has.
type Constant struct {
	Machine string // a product, or a chip for all products of it
	Name    string
	Value   float64
	Unit    string
	Source  string // where it is from; of a fitted one, what it stands for
	Fitted  string // the published cells that it was fitted on; empty for one that has a source
}

// The names of constants.
const (
	launchLatency = "launch"
	cubeShare     = "cube share"
	weightShare   = "weight share"
	cacheShare    = "cache share"
	dramRate      = "dram"
	linkRate      = "link"
	timeLimit     = "limit"
)

const paper = "arXiv 2505.21411 "

// Sources that take more than a line of the table.
const (
	duoMemory = "soc dram_rate, half of the card's 408 GB/s; at 17 B a cycle and core, 144 GB/s, " +
		"weights and cache of batch 80 alone would take 92 of its 99.5 ms"
	duoProducts  = paper + "§4.2.3: SwiftGMM keeps MTE2 busy for up to 95 %; taken as bound by the memory"
	duoAttention = paper + "§4.2.3: MulAttention keeps MTE2 busy for over 89 %; taken as bound by the memory"
	duoLinks     = "PCIe 4.0 x16, 16 lanes of 16 GT/s in 128b/130b, one way; between the chips of a card " +
		"no rate is published, they are PCIe devices of their own"
	a2Memory = "third-party table of products, nominal; the ini's 32 B a cycle and core give less"
	a2Links  = "HCCS, third-party tables: 7 links of 56 GB/s, 392 GB/s a chip, read as both ways together; " +
		"every pair of chips has a link"
	launching = "an op's way through host and scheduler"
	tiling    = "what tilings and loads of L0 leave of the matrix units"
)

// constants are all numbers that are neither sizes of a model nor rows of package soc, but for the
// counts of calls that follow from the definitions of ops. A test fits the fitted ones again.
var constants = []Constant{
	{"Ascend310P3", dramRate, 204e9, "B/s", duoMemory, ""},
	{"Ascend310P3", weightShare, 1, "of dram", duoProducts, ""},
	{"Ascend310P3", cacheShare, 1, "of dram", duoAttention, ""},
	{"Ascend310P3", linkRate, 31.5e9, "B/s", duoLinks, ""},
	{"Ascend310P3", launchLatency, 20.8e-6, "s", launching, "decode batch 1"},
	{"Ascend310P3", cubeShare, 0.147, "of peak", tiling, "prefill batch 2"},
	{"Ascend310P3", timeLimit, 0.1, "s", paper + "§2.3: time per output token on 300I Duo", ""},

	{"800i-a2-64g", dramRate, 1600e9, "B/s", a2Memory, ""},
	{"800i-a2", dramRate, 800e9, "B/s", "soc dram_rate, nominal", ""},
	{"Ascend910B4", weightShare, 1, "of dram", "taken as bound by the memory, as on the 300I Duo", ""},
	{"Ascend910B4", linkRate, 28e9, "B/s", a2Links, ""},
	{"Ascend910B4", launchLatency, 8.77e-6, "s", launching, "MoE decode batch 1"},
	{"Ascend910B4", cubeShare, 0.47, "of peak", tiling, "MoE prefill batch 2, 72B prefill batch 2"},
	{"Ascend910B4", cacheShare, 0.506, "of dram", "what pages of the cache leave of the rate", "MoE decode batch 456"},
	{"Ascend910B4", timeLimit, 0.05, "s", paper + "§2.3: time per output token on 800I A2", ""},
}

// Constants lists every constant in the order of the table.
func Constants() []Constant { return slices.Clone(constants) }

// constant is the value for a product, else for its chip.
func constant(product, chip, name string) float64 {
	for _, machine := range []string{product, chip} {
		i := slices.IndexFunc(constants, func(c Constant) bool { return c.Machine == machine && c.Name == name })
		if i >= 0 {
			return constants[i].Value
		}
	}
	panic("BUG: no constant " + name + " of " + chip)
}
