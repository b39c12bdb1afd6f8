package passes

import (
	"slices"

	"moge/ir"
)

// compilation is what the passes of one run share.
type compilation struct {
	opt    Options
	report *Report
}

// mode says which of the two pipelines a pass belongs to.
type mode uint8

const (
	compiling    mode = 1 << iota // towards a bundle
	calibrating                   // towards a graph that measures ranges
	partitioning                  // behind compiling, for several ranks
)

// pass is a row of the pipeline.
type pass struct {
	name     string
	run      func(g *ir.Graph, c *compilation) (*ir.Graph, error)
	required bool
	modes    mode
	summary  string // for help texts
}

const both = compiling | calibrating

// pipeline is every pass in order; order.go has the reasons that bind more than one row.
var pipeline = [...]pass{
	{name: "FoldConstants", run: graphOnly(foldConstants), modes: both,
		summary: "drop reshapes, casts, slices and concatenations that change nothing"},
	{name: "EliminateCommonValues", run: graphOnly(eliminateCommonValues), modes: both,
		summary: "compute equal values once"},
	// Before any fusion: whether a value has other readers must not depend on dead ones.
	{name: "RemoveDeadValues", run: graphOnly(removeDeadValues), required: true, modes: both,
		summary: "remove what no output needs"},
	// Required even without a scheme: it is what refuses patterns that match nothing.
	{name: "AssignSchemes", run: assignSchemes, required: true, modes: both,
		summary: "choose the quantization scheme of every linear by its site"},
	{name: "SetCacheType", run: setCacheType, required: true, modes: both,
		summary: "choose the element type of the KV cache"},
	{name: "FuseAddRMSNorm", run: graphOnly(fuseAddRMSNorm), modes: both,
		summary: "add and rms_norm become add_rms_norm"},
	{name: "FuseQKV", run: graphOnly(fuseQKV), modes: both,
		summary: "the query, key and value projections become one linear"},
	{name: "FuseRotary", run: graphOnly(fuseRotary), modes: both,
		summary: "the rotation of heads by halves becomes rotary"},
	{name: "FuseGroupedGating", run: graphOnly(fuseGroupedGating), modes: both,
		summary: "softmax and the best expert of each group become moe_gate"},
	{name: "GroupExperts", run: graphOnly(groupExperts), modes: both,
		summary: "the weights of a layer's experts become one stacked constant"},
	{name: "FuseGateUp", run: graphOnly(fuseGateUp), modes: both,
		summary: "gate and up projections become one linear"},
	{name: "FuseSwiGLU", run: graphOnly(fuseSwiGLU), modes: both,
		summary: "silu of one half times the other becomes swiglu"},
	{name: "CastFloatWeights", run: castFloatWeights, modes: both,
		summary: "cast the weights that stay floats to one type"},
	// In the place of QuantizeLinears, so that what is measured is what will be quantized.
	{name: "InsertObservers", run: graphOnly(insertObservers), required: true, modes: calibrating,
		summary: "measure the input of every linear that has a scheme"},
	{name: "QuantizeLinears", run: quantizeLinears, modes: compiling,
		summary: "linears that have a scheme become int8 ops"},
	// After quantizing: scales are taken of what is stored.
	{name: "LegalizeTypes", run: legalizeTypes, required: true, modes: compiling,
		summary: "round activations where the machine stores them in half precision"},
	{name: "RemoveDeadValues", run: graphOnly(removeDeadValues), required: true, modes: both,
		summary: "remove what no output needs"},
	{name: "BlockDynamicScales", run: blockDynamicScales, required: true, modes: partitioning,
		summary: "a scale for each part of a row that ranks have a part each of"},
	{name: "PartitionGraph", run: partitionGraph, required: true, modes: partitioning,
		summary: "cut the graph for ranks, with an all-reduce behind each product that is split"},
	{name: "RewriteAllReduce", run: graphOnly(rewriteAllReduce), modes: partitioning,
		summary: "all_reduce becomes reduce_scatter and all_gather"},
	{name: "SinkAllGather", run: graphOnly(sinkAllGather), modes: partitioning,
		summary: "gather rows behind norms and sums, and join gathers"},
	{name: "MergeCollectives", run: graphOnly(mergeCollectives), modes: partitioning,
		summary: "sum what is added before it is sent"},
}

// graphOnly adapts a pass that needs no option and cannot fail.
func graphOnly(fn func(*ir.Graph) *ir.Graph) func(*ir.Graph, *compilation) (*ir.Graph, error) {
	return func(g *ir.Graph, _ *compilation) (*ir.Graph, error) { return fn(g), nil }
}

// Info describes a pass for help texts and shell completion.
type Info struct {
	Name     string
	Summary  string
	Required bool // cannot be switched off
	Ranks    bool // runs when the graph is cut for several ranks
}

// List describes every pass once, in the order of its first run.
func List() []Info {
	var list []Info
	for i := range pipeline {
		p := &pipeline[i]
		if !slices.ContainsFunc(list, func(x Info) bool { return x.Name == p.name }) {
			list = append(list, Info{p.name, p.summary, p.required, p.modes == partitioning})
		}
	}
	return list
}

// Names lists every pass once, in the order of its first run.
func Names() []string {
	list := List()
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return names
}
