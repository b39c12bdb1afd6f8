package models

import (
	"strconv"
	"strings"
)

// facts writes the meta entries that travel with the graph: what its users need of the config.
func (n *net) facts() {
	c, g := n.cfg, n.cfg.Generation
	n.fact("architecture", c.Architecture)
	n.count("vocab_size", n.vocab)
	n.count("hidden_size", n.hidden)
	n.count("layers", int64(n.layers))
	n.count("context", int64(c.MaxPositions))
	n.fact("bos", token(c.BOS))
	n.fact("eos", tokenList(c.EOS))
	n.fact("pad", token(c.Pad))
	n.count("experts", n.experts)
	n.count("experts_per_token", n.perToken)
	n.count("groups", n.groups)
	total, active := n.parameterCounts()
	n.count("parameters_total", total)
	n.count("parameters_active", active)
	n.fact("gate_weight", "after_down")
	n.fact("do_sample", strconv.FormatBool(g.DoSample))
	n.fact("temperature", strconv.FormatFloat(g.Temperature, 'g', -1, 64))
	n.fact("top_p", strconv.FormatFloat(g.TopP, 'g', -1, 64))
	n.count("top_k", int64(g.TopK))
}

func (n *net) fact(key, value string) { n.Graph.SetMeta(key, value) }

func (n *net) count(key string, value int64) { n.fact(key, strconv.FormatInt(value, 10)) }

// token is empty for none.
func token(id int64) string {
	if id < 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

func tokenList(ids []int64) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = token(id)
	}
	return strings.Join(text, ",")
}

// parameterCounts counts all elements of the checkpoint's tensors, and those that one token
// meets: of the routed experts its share, of everything else, embedding and head included, all.
func (n *net) parameterCounts() (total, active int64) {
	for _, s := range n.specs {
		total += s.Elements()
	}
	active = total - n.routed
	if n.experts > 0 {
		active += n.routed / n.experts * n.perToken // routed is a multiple of experts
	}
	return total, active
}
