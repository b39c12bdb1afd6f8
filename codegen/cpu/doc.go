// Package cpu lowers a graph to a plan for the CPU engine: one op-code a node, weights as
// tiles of 16 output rows in the layouts of runtime/kernels, small vectors as f32.
//
// Every op of the graph IR has an op-code here, so a pass that is switched off changes
// speed, never whether a model runs. The package must not know files or command lines.
package cpu
