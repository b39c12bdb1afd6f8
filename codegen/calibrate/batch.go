package calibrate

import (
	"moge/ir"
	"moge/ir/shape"
)

// defaultBatch is how many tokens run at once without a memory bound.
const defaultBatch = 16384

// batchTokens is how many tokens of activations fit half the bound; the other half is for
// weight blocks and garbage. A window is never split, so the bound gives way to one window.
func batchTokens(g *ir.Graph, maxMemory int64) int64 {
	if maxMemory == 0 {
		return defaultBatch
	}
	return min(defaultBatch, max(1, maxMemory/2/max(1, bytesPerToken(g))))
}

// bytesPerToken is the most that values live at the same time take for one token, states
// (which keep every position) included.
func bytesPerToken(g *ir.Graph) int64 {
	env := &shape.Env{shape.T: 1, shape.L: 1}
	size := func(v *ir.Value) int64 {
		n := int64(4) // the interpreter holds every float as f32
		for _, d := range v.Type.Shape.Eval(env) {
			n *= d
		}
		return n
	}
	constant, uses := g.Constants(), g.Uses()
	var live, most int64
	for _, n := range g.Nodes {
		for _, v := range n.Results {
			if !constant[v.ID] {
				live += size(v)
			}
		}
		most = max(most, live)
		for _, v := range n.Args {
			if uses[v.ID]--; uses[v.ID] == 0 && !constant[v.ID] && !v.Type.State {
				live -= size(v)
			}
		}
	}
	return most
}

// pack distributes the windows, in order, over batches of at most the given tokens.
func pack(windows [][]int32, tokens int64) [][][]int32 {
	var batches [][][]int32
	var filled int64
	for _, w := range windows {
		if len(batches) == 0 || filled+int64(len(w)) > tokens {
			batches, filled = append(batches, nil), 0
		}
		last := len(batches) - 1
		batches[last] = append(batches[last], w)
		filled += int64(len(w))
	}
	return batches
}
