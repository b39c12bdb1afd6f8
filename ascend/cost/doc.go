// Package cost predicts how long a step takes on cards, and what it needs of their memory.
//
// A step is a list of ops, each with the bytes, multiplications and vector elements of the busiest
// rank. The list is read from a graph after passes (Walk) or follows from sizes and a placement in
// closed form (Model.Ops), which is what searches over thousands of models use; a test holds the two
// together. The time of an op is that of its slowest pipe and the latency of its launches; the
// constants are one table, each with its source or marked as fitted (Constants).
//
// It must not read weights, nor know files, flags or terminals. It predicts whole steps; how one
// kernel is cut is the business of package kernels.
package cost
