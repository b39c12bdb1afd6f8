// Package models turns the configuration of a checkpoint and the names of its tensors into
// the graph of one step, written in primitive ops only: fusing them is the work of passes.
// One file a family says what is that family's own; attention.go, mlp.go and experts.go hold
// what they share. The forward pass of each family is that of its reference implementation
// in Hugging Face transformers (for Pangu Pro MoE, the published modeling code).
//
// The package must not know the data of a tensor, how a graph is changed or run, machines,
// or where files lie.
package models
