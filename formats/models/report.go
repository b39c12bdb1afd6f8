package models

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Report is how the tensors of a checkpoint and of its model compare. All lists are sorted.
type Report struct {
	Missing []string // the model reads it, the checkpoint lacks it
	Unknown []string // no part of the model reads it
	Dropped []string // leftovers of training and quantization tools, of no use to the model
}

// Error lists all that keeps a config or a checkpoint from being the model it says it is.
type Error struct {
	Architecture string
	Problems     []string // never empty
	Hint         string   // what to do about it
}

const (
	// maxShown is how many problems a message spells out: one mistake in a config makes
	// thousands of tensors wrong.
	maxShown = 5

	hintConfig  = "use the config.json that was published with the checkpoint"
	hintTensors = "config.json and the shards are not of the same model, download both again"
)

// Error shows the first problems and counts them all.
func (e *Error) Error() string {
	shown := e.Problems[:min(len(e.Problems), maxShown)]
	text := fmt.Sprintf("model %q: ", e.Architecture)
	if len(e.Problems) > 1 {
		text += fmt.Sprintf("%d problems: ", len(e.Problems))
	}
	text += strings.Join(shown, "; ")
	if more := len(e.Problems) - len(shown); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text + ": " + e.Hint
}

// classify sorts what the checkpoint holds beside the model's tensors.
func (n *net) classify(r *Report) {
	r.Missing = n.missing
	slices.Sort(r.Missing)
	if n.tensors == nil {
		return
	}
	for _, name := range n.tensors.Names() {
		switch _, read := n.weights[name]; {
		case read:
		case n.leftover(name):
			r.Dropped = append(r.Dropped, name)
		default:
			r.Unknown = append(r.Unknown, name)
		}
	}
	slices.Sort(r.Unknown)
	slices.Sort(r.Dropped)
}

// leftover recognises what loaders of these checkpoints are known to skip: rotary tables,
// smoothing norms and cache offsets that quantization tools leave behind, layers beyond those
// the config names (multi-token prediction), and the head of a model that ties it.
func (n *net) leftover(name string) bool {
	return strings.Contains(name, "rotary_emb.inv_freq") || strings.Contains(name, ".module.") ||
		strings.HasSuffix(name, "kv_cache_offset") || n.extraLayer(name) ||
		n.cfg.TieEmbeddings && name == headName
}

// extraLayer tells whether the name is of a layer that the config does not count.
func (n *net) extraLayer(name string) bool {
	rest, ok := strings.CutPrefix(name, "model.layers.")
	if !ok {
		return false
	}
	number, _, _ := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(number)
	return err == nil && layer >= n.layers
}
