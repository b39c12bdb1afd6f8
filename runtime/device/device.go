package device

import (
	"context"

	"moge/formats/bundle"
	"moge/ir/dtype"
	"moge/runtime/comm"
)

// Options say how a program is loaded.
type Options struct {
	Threads   int   // worker threads; 0 means one a core
	CacheRows int64 // positions of all sequences together that the cache can hold; 0 means Seqs · Context
	Context   int64 // positions of one sequence, at most the plan's; 0 means the plan's
	Tap       Tap   // sees every step's results; for tests and statistics

	// RankTap gives each rank of a device that runs several its Tap, which is called in the goroutine
	// of that rank; nil is none.
	RankTap func(rank int) Tap
	// Rank is which one of Ranks ranks is loaded; 0 of 0 or 1 where there is but one.
	Rank, Ranks int
	// Comm is how the rank exchanges data with the others; nil for one rank.
	Comm Comm
}

// Comm takes part in the collectives of a rank's groups; a *comm.Rank does.
type Comm interface {
	Do(ctx context.Context, op comm.Op, g comm.Group, send, recv []byte, t dtype.Type) error
}

// Tap is called after each step with its site, op-code name and results as the buffers hold
// them: []float32, []int32 or []int8 without row padding.
type Tap func(site, op string, results []any)

// Batch is one ragged step: token Tokens[t] at Positions[t] of sequence Sequences[t].
// Tokens of one sequence stand in order of position and follow what its cache holds.
type Batch struct {
	Tokens, Positions, Sequences []int32 // [T]
	Rows                         []int32 // [L], indices of tokens whose logits are wanted, ascending

	// Pad is the step's T where a rank has not as many tokens, maybe none: rows beyond are padding. 0 is
	// the number of tokens.
	Pad int
	// World is the rows of all ranks' groups, padding included, which Rows then count; 0 is the number
	// of tokens.
	World int
}

// T is the step's scalar T.
func (b Batch) T() int {
	if b.Pad > 0 {
		return b.Pad
	}
	return len(b.Tokens)
}

// Runner runs the steps of one loaded program. It is not safe for concurrent use.
type Runner interface {
	// Run executes one step. After an error the caches of its sequences are as before.
	Run(ctx context.Context, b Batch) error
	// Floats is an f32 output of the last step, valid until the next.
	Floats(name string) ([]float32, error)
	// Ints is an i32 output of the last step, valid until the next.
	Ints(name string) ([]int32, error)
	// Length is how many positions of a sequence the cache holds.
	Length(sequence int) int
	// Truncate shortens a sequence to the given number of positions.
	Truncate(sequence, length int) error
	// Limits are those in force: the plan's, narrowed by the options.
	Limits() Limits
	Close() error
}

// Limits bound a step.
type Limits struct {
	BatchTokens, Seqs, Context, LogitsRows int
}

// Device loads programs.
type Device interface {
	Name() string
	Load(b *bundle.Bundle, program int, opt Options) (Runner, error)
}

// RowPitch is the number of elements from one row of a buffer to the next: int8 rows are
// padded to whole 64-byte lines, which the integer kernels may read past the row's end.
func RowPitch(d dtype.Type, width int64) int64 {
	if d == dtype.I8 {
		return (width + 63) / 64 * 64
	}
	return width
}

// BufferBytes is the memory of a buffer of the given dimensions, its last one a row.
func BufferBytes(d dtype.Type, dims []int64) int64 {
	rows, width := int64(1), int64(1)
	for i, n := range dims {
		if i == len(dims)-1 {
			width = n
		} else {
			rows *= n
		}
	}
	return d.Bytes(rows * RowPitch(d, width))
}
