package report

import (
	"slices"

	"moge/formats/bundle/bundlepb"
)

// none is the writer of what nothing wrote.
const none = -1

// flow knows which step wrote what lies in the arena and in the states: buffers may overlap, and views
// are buffers of their own.
type flow struct {
	extents []extent // disjoint, ascending
	states  []int
}

// extent is bytes [lo,hi) that steps wrote: one, or several of which each wrote other rows.
type extent struct {
	lo, hi uint64
	steps  []int
}

func newFlow(states int) *flow {
	return &flow{states: slices.Repeat([]int{none}, states)}
}

// first is the index of the first extent that ends after lo.
func (f *flow) first(lo uint64) int {
	i, _ := slices.BinarySearchFunc(f.extents, lo, func(e extent, at uint64) int {
		if e.hi > at {
			return 1
		}
		return -1
	})
	return i
}

// Bounds of what is remembered and found, far above those of a real program.
const (
	maxExtents = 1 << 14
	maxWriters = 64
)

// write says that steps wrote bytes.
func (f *flow) write(lo, hi uint64, steps ...int) {
	if lo >= hi || len(f.extents) >= maxExtents {
		return
	}
	i := f.first(lo)
	j := i
	fresh := make([]extent, 0, 3)
	for ; j < len(f.extents) && f.extents[j].lo < hi; j++ {
		if e := f.extents[j]; e.lo < lo {
			fresh = append(fresh, extent{e.lo, lo, e.steps})
		}
	}
	fresh = append(fresh, extent{lo, hi, steps})
	if j > i {
		if e := f.extents[j-1]; e.hi > hi {
			fresh = append(fresh, extent{hi, e.hi, e.steps})
		}
	}
	f.extents = slices.Replace(f.extents, i, j, fresh...)
}

// read adds the writers of bytes to a list, each once.
func (f *flow) read(writers []int, lo, hi uint64) []int {
	end := min(len(f.extents), f.first(lo)+maxExtents/4)
	for i := f.first(lo); i < end && f.extents[i].lo < hi && len(writers) < maxWriters; i++ {
		for _, step := range f.extents[i].steps {
			if !slices.Contains(writers, step) {
				writers = append(writers, step)
			}
		}
	}
	return writers
}

// access is what a step does with an operand.
type access struct {
	operand     *bundlepb.Operand
	read, write bool
}

// accesses lists the operands of a step. Scratch memory of a kernel is neither read nor written.
func accesses(s *bundlepb.Step, k *bundlepb.Kernel) []access {
	var list []access
	for i, a := range s.Args {
		role := bundlepb.TensorRole_ROLE_IN
		switch {
		case k != nil:
			role = k.Tensors[i].Role
		case s.Op == bundlepb.OpCode_KV_WRITE && i == 0:
			role = bundlepb.TensorRole_ROLE_OUT
		}
		list = append(list, access{a,
			role == bundlepb.TensorRole_ROLE_IN || role == bundlepb.TensorRole_ROLE_IN_OUT,
			role == bundlepb.TensorRole_ROLE_OUT || role == bundlepb.TensorRole_ROLE_IN_OUT})
	}
	if k == nil {
		for _, r := range s.Results {
			list = append(list, access{r, false, true})
		}
	}
	return list
}
