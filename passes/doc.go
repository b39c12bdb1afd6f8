// Package passes rewrites the graph that formats/models builds from primitives into the
// graph that codegen compiles: identities folded, places of the model fused, linears
// quantized.
//
// The pipeline is one table (table.go); what must come before what, and why, is another
// (order.go). One file is one pass. A pass takes a graph and returns another; it never
// edits its input, changes nothing where it does not match, and running it twice is
// running it once. All passes but those that round on purpose (SetCacheType,
// CastFloatWeights, QuantizeLinears) leave every output of ir/interp equal bit for bit.
//
// The package must not know checkpoints, files, machines, kernels or command lines. It
// sees weights as names: computing with them is the work of whoever executes the constant
// nodes.
package passes
