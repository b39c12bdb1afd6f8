package codegen

import (
	"moge/codegen/weights"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
)

// Limits bound the scalars of a step; the arena is planned for them.
type Limits struct {
	BatchTokens int64 // maximum of T
	Seqs        int64 // sequences in one step
	Context     int64 // positions of one sequence
	LogitsRows  int64 // maximum of L
}

// Plan is a compiled graph: the manifest without hashes, and how to evaluate each section.
type Plan struct {
	Manifest *bundlepb.Manifest
	Nodes    int    // of the graph that was lowered, weights included
	Units    []Unit // together they cover every stored section of every rank exactly once
}

// Unit is a piece of work that is done or not done as a whole: evaluating it reads each
// source byte once and gives the bytes of one extent in one or more sections, of one or more ranks.
type Unit struct {
	Extents []Extent
	Eval    Evaluator
	Lo, Hi  int64 // range handed to Eval, in its own terms
	Scratch int64 // bytes of memory that evaluation needs beside the output
}

// Extent is a byte range of a section of one rank.
type Extent struct {
	Rank, Section int
	Offset, Size  int64
}

// Evaluator computes the bytes of the extents of a unit, out[i] for Extents[i].
type Evaluator interface {
	Eval(src weights.Source, lo, hi int64, out [][]byte) error
	// Values are the constants that the evaluation reads.
	Values() []*ir.Value
}
