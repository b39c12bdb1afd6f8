// Package weights evaluates the constant part of a graph, weights and everything computed
// from weights alone, range by range: the memory it needs is a few rows, whatever the size
// of the model, and the bytes come out the same for any way of cutting the ranges.
//
// It must not know plans, layouts, bundles or machines; ir/interp defines what it computes
// and is its oracle.
package weights
