// Package placement says how a model lies over ranks: degrees of data, expert and tensor
// parallelism for attention, routed experts and shared expert, and of the two tables of the
// vocabulary. It parses and prints placements, lists those that are legal for a model, and names
// the groups of ranks that follow.
//
// It is a leaf: it must not know graphs, machines or how ranks talk to each other.
package placement
