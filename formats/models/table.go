package models

import (
	"strings"

	"moge/formats/hf"
	"moge/ir"
	"moge/quant"
)

// family is what tells one architecture from the others.
type family struct {
	architecture string  // as config.json spells it
	name         string  // of the graph
	theta        float32 // of the rotation where the config gives none
	// attention gives the variant of the attention block.
	attention func(cfg *hf.Config) attention
	// feedForward appends the block after the second norm: x [T,hidden] gives [T,hidden].
	feedForward func(n *net, layer int, x *ir.Value) *ir.Value
	routing     *routing // nil in a dense family
}

// routing is what a family with experts has beside its feed-forward block.
type routing struct {
	// sparse tells which layers have experts.
	sparse func(cfg *hf.Config, layer int) bool
	// width is that of one expert, which the config gives under widthKey.
	width    func(cfg *hf.Config) int
	widthKey string
	grouped  bool // the experts form num_experts_per_tok groups, each of which gives one
	shared   bool // every token uses the shared expert too
}

// families is in the order in which Supported lists them.
var families = []*family{&panguProMoE, &qwen3MoE, &mixtral, &llama, &qwen3}

// Supported lists the architectures that Build knows, as config.json spells them.
func Supported() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.architecture
	}
	return names
}

// find gives the family of a config, or says why there is none.
func find(cfg *hf.Config) (*family, error) {
	if err := refuse(cfg); err != nil {
		return nil, err
	}
	for _, f := range families {
		if f.architecture == cfg.Architecture {
			return f, nil
		}
	}
	return nil, unknown(cfg.Architecture)
}

func unknown(architecture string) error {
	names := Supported()
	problem := "this architecture is not supported"
	hint := "supported are " + strings.Join(names, ", ")
	if architecture == "" {
		problem = "config.json names no architecture"
	} else {
		hint += "; the nearest is " + quant.Nearest(architecture, names)
	}
	return &Error{Architecture: architecture, Problems: []string{problem}, Hint: hint}
}

const panguV2 = "PanguProMoEV2ForCausalLM"

// refuse recognises Pangu Pro MoE V2, whose config may carry the model_type of V1.
func refuse(cfg *hf.Config) error {
	reason := ""
	if cfg.Architecture == panguV2 {
		reason = "Pangu Pro MoE V2"
	} else if cfg.Architecture == panguProMoE.architecture {
		for _, key := range []string{"router_enable_expert_bias", "sandwich_norm", "param_sink_number"} {
			if cfg.Has(key) {
				reason = "the key " + key + " marks Pangu Pro MoE V2"
				break
			}
		}
	}
	if reason == "" {
		return nil
	}
	return &Error{
		Architecture: cfg.Architecture,
		Problems: []string{reason + ", which is not a mixture of grouped experts: it routes by " +
			"a biased sigmoid, has sandwich norms, sink tokens and latent attention, " +
			"and is not supported"},
		Hint: "give a checkpoint of " + panguProMoE.architecture,
	}
}
