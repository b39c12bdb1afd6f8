package device

import (
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
)

// Groups are the data-parallel groups of attention, of TP neighbouring ranks each, that share a step:
// each has tokens of its own sequences.
type Groups struct{ DP, TP int }

// GroupsOf reads them from a bundle's placement; without one there is one group of one rank.
func GroupsOf(m *bundlepb.Manifest) Groups {
	d := bundle.DegreesOf(m.GetPlacement().GetAttention())
	return Groups{DP: d.DP, TP: d.TP}
}

// Of is the group that a sequence is pinned to, and its number there.
func (g Groups) Of(sequence int) (group, local int) { return sequence % g.DP, sequence / g.DP }

// Seqs is how many of n sequences a group has at most.
func (g Groups) Seqs(n int) int { return (n + g.DP - 1) / g.DP }

// Rows is the rows of each group in a step, where no group has more than t tokens.
func (g Groups) Rows(t int) int { return (t + g.TP - 1) / g.TP * g.TP }

// World is the rows of all groups in a step, in their order.
func (g Groups) World(t int) int { return g.DP * g.Rows(t) }
