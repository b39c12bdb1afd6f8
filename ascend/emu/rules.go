package emu

import "slices"

// Rule is one thing the emulation checks.
type Rule struct {
	Name   string // the label that findings carry
	What   string // what the rule asks for
	Source string // who says so
}

// The sources of rules, as Rule.Source names them.
const (
	docsSync     = "Ascend C API reference, core-internal synchronisation"
	docsBlocks   = "Ascend C API reference, synchronisation between cores"
	docsGeneral  = "Ascend C API reference, general constraints (alignment, overlap, repeat)"
	docsQueue    = "Ascend C API reference, TPipe and TQue"
	docsCopy     = "Ascend C API reference, data copies"
	docsVector   = "Ascend C API reference, vector computation"
	docsCast     = "Ascend C API reference, Cast; cast tables of CANN 8.1"
	docsCube     = "Ascend C API reference, matrix computation"
	docsCache    = "Ascend C API reference, cache control"
	docsMask     = "Ascend C API reference, mask operations"
	docsScalar   = "Ascend C guide, scalar unit"
	docsHardware = "Ascend C guide, hardware architecture of the chip"
	ownRule      = "own rule: results may not depend on undefined memory"
)

var rules = []Rule{
	{"race", "accesses of two pipes to one byte are ordered by flags", docsSync},
	{"race-barrier", "dependent instructions of one pipe have a PipeBarrier between them", docsSync},
	{"race-blocks",
		"bytes shared by blocks are ordered by SyncAll, cross-core flags or a kernel end", docsBlocks},
	{"flag-double-set", "a flag is one bit: it is waited for before it is set again", docsSync},
	{"flag-leftover", "every flag that is set is waited for before the kernel ends", docsSync},
	{"event-id", "event ids are 0 to 7, less what the framework keeps", docsSync},
	{"event-pool", "queues and kernels take event ids from one pool of 8 a pair", docsQueue},
	{"deadlock", "no block waits for something that never happens", docsSync},
	{"cross-flag", "cross-core flags have ids 0 to 10 and count to 15", docsBlocks},
	{"sync-workspace", "the soft SyncAll starts from a zeroed workspace of 32 bytes a block",
		docsBlocks},
	{"queue-protocol", "tensors of a queue go AllocTensor, EnQue, DeQue, FreeTensor", docsQueue},
	{"capacity", "buffers fit the usable size of their memory", docsHardware},
	{"buffer-bounds", "an instruction stays inside the buffer of its tensor", docsQueue},
	{"gm-bounds", "an instruction stays inside the tensor it was given", docsCopy},
	{"store-to-input", "inputs are not written", docsCopy},
	{"align", "addresses have the alignment of their memory", docsGeneral},
	{"overlap", "source and destination are one tensor or apart", docsGeneral},
	{"stride", "strides are in the range the instruction defines", docsGeneral},
	{"repeat-range", "repeats are 1 to 255", docsGeneral},
	{"param-range", "parameters are in the range of their field", docsCopy},
	{"zero-count", "counts and repeats are not 0", docsGeneral},
	{"mask-range", "masks have 1 to 128 (16-bit) or 64 (32-bit) lanes", docsMask},
	{"mask-register", "the mask register is set before it is used", docsMask},
	{"deq-register", "SetDeqScale comes before the conversion that uses it", docsCast},
	{"atomic-register", "the atomic register is clean before a store", docsCopy},
	{"cast-mode", "a conversion takes the rounding modes of its pair on this chip", docsCast},
	{"compare-mode", "int32 compares with EQ only", docsVector},
	{"compare-count", "compared elements are a multiple of 256 bytes", docsVector},
	{"select-mode", "the selection mode fits its arguments", docsVector},
	{"pattern", "gather patterns are 1 to 6 (310P) or 7 (910B)", docsVector},
	{"index-range", "an index fits the element type", docsVector},
	{"work-size", "a reduction has the work tensor it asks for", docsVector},
	{"vector-memory", "vector operands lie in UB", docsHardware},
	{"scalar-memory", "the scalar unit reads UB and global memory only", docsScalar},
	{"wrong-core", "an instruction runs on a core that has its pipe", docsHardware},
	{"path", "there is a path between the two memories on this chip", docsHardware},
	{"copy-truncates", "a copied count is a multiple of 32 bytes", docsCopy},
	{"drain-mode", "conversions on the way out of L0C fit the types", docsCube},
	{"transpose-type", "transposing loads take 16-bit types", docsCube},
	{"mmad-gemv", "m is at least 2", docsCube},
	{"mmad-bias", "a bias lies in the bias table", docsCube},
	{"stale-cache", "the scalar cache is invalidated before it reads what others wrote", docsCache},
	{"cache-unflushed", "scalar stores to global memory are cleaned out of the cache", docsCache},
	{"taint-output", "no output is made from undefined bytes", ownRule},
	{"taint-scalar", "no scalar value or branch comes from undefined bytes", ownRule},
	{"taint-address", "no address comes from undefined bytes", ownRule},
	{"output-undefined", "every byte of an output is defined when the kernel ends", ownRule},
	{"unstable-output", "outputs do not depend on dirty memory or on the order chosen", ownRule},
}

// Rules lists everything the emulation checks, in a fixed order.
func Rules() []Rule { return slices.Clone(rules) }

func ruleOf(name string) Rule {
	for _, r := range rules {
		if r.Name == name {
			return r
		}
	}
	panic("BUG: no rule " + name)
}
