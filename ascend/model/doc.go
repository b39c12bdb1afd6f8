// Package model chooses the kernels of a model: it walks the graph after all passes, with the
// types of the card in it, and gives each op the kernel that computes it, equal shapes once.
//
// It must not know how kernels are written, lowered or run, nor files and flags.
package model
