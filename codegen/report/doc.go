// Package report gathers what a bundle is and does from its manifest alone, as data: model and origin,
// placement, memory of a rank, the program folded by layers with bytes of every op, collectives,
// balance certificate, kernels. What the manifest does not know, such as predicted times, the
// caller hands in.
//
// It must not know how a report looks, chips, or how a step is run.
package report
