package report

import (
	"strconv"
	"strings"
)

// Parts of a model, in the order of reports.
const (
	PartEmbed     = "embedding"
	PartNorm      = "norm and residual"
	PartAttention = "attention"
	PartRouter    = "router"
	PartExperts   = "routed experts"
	PartShared    = "shared expert"
	PartMLP       = "MLP"
	PartHead      = "head"
	PartComm      = "collective"
	PartOther     = "other"
)

// Parts lists all of them.
func Parts() []string {
	return []string{PartEmbed, PartNorm, PartAttention, PartRouter, PartExperts, PartShared, PartMLP,
		PartHead, PartComm, PartOther}
}

// LayerOf splits a site, or the name of a section or state, into its layer and the rest; layer is
// -1 outside of layers.
func LayerOf(site string) (layer int, rest string) {
	text, ok := strings.CutPrefix(site, "layers.")
	if !ok {
		return -1, site
	}
	number, rest, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return -1, site
	}
	return int(n), rest
}

// prefixes of names within a layer and outside; the first that matches counts.
var prefixes = []struct{ prefix, part string }{
	{"self_attn.residual", PartNorm}, {"mlp.residual", PartNorm}, {"input_norm", PartNorm},
	{"post_norm", PartNorm}, {"norm", PartNorm},
	{"self_attn", PartAttention}, {"rope", PartAttention},
	{"mlp.router", PartRouter}, {"mlp.experts", PartExperts}, {"mlp.shared", PartShared}, {"mlp", PartMLP},
	{"embed", PartEmbed}, {"lm_head", PartHead},
}

// partOf is the part that a site, section or state belongs to.
func partOf(name string) string {
	_, rest := LayerOf(name)
	for _, p := range prefixes {
		if tail, ok := strings.CutPrefix(rest, p.prefix); ok && (tail == "" || tail[0] == '.') {
			return p.part
		}
	}
	return PartOther
}
