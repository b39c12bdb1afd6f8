package hf

import (
	"encoding/json"
	"fmt"
	"strings"

	"moge/ir/dtype"
)

// Config is what config.json says about a model's shape. A field whose key is missing or null has
// the value that its comment names, else the zero value. See
// https://huggingface.co/docs/transformers/main_classes/configuration for the keys.
type Config struct {
	Architecture string // architectures[0]
	ModelType    string
	DType        dtype.Type // of the stored weights (dtype or torch_dtype); Invalid if not given

	HiddenSize, Layers, VocabSize, MaxPositions int // required
	Heads                                       int // query heads, required
	KVHeads                                     int // divides Heads; Heads if not given
	HeadDim                                     int // HiddenSize / Heads if not given

	Intermediate       int   // of a dense layer
	MoEIntermediate    int   // of one routed expert
	SharedIntermediate int   // of the shared expert
	Experts            int   // routed experts; 0 for a dense model
	ExpertsPerToken    int   // 1..Experts, required where Experts is
	NormTopKProb       *bool // nil if not given
	DecoderSparseStep  int   // 1 if not given
	MLPOnlyLayers      []int // each in 0..Layers-1

	RMSNormEps    float64 // required
	RopeTheta     float64 // 0 if not given: the family has a default
	PartialRotary float64 // the part of HeadDim that is rotated; 1 if not given
	SlidingWindow int     // positions; 0 for none. Which layers use it is the family's to say

	TieEmbeddings, AttentionBias, MLPBias bool // false if not given; Has tells that apart

	HiddenAct string
	BOS, Pad  int64   // token ids, -1 for none
	EOS       []int64 // token ids; those of generation_config.json where it has any

	Generation Generation
	Tokenizer  Tokenizer

	doc document
}

// Limits that no published model comes near; they keep products of sizes inside an int64.
const (
	maxLayers  = 10_000
	maxHidden  = 1 << 20
	maxHeads   = 1 << 16
	maxWidth   = 1 << 24
	maxExperts = 1 << 16
	maxVocab   = 1 << 28
	maxInt32   = 1<<31 - 1
)

// ParseConfig reads config.json from data; name is the file that errors, always *Error, name.
func ParseConfig(name string, data []byte) (*Config, error) {
	doc, err := parseDocument(name, data)
	if err != nil {
		return nil, err
	}
	c := &Config{doc: doc, Generation: defaultGeneration()}
	r := &reader{document: doc}
	c.readIdentity(r)
	c.readSizes(r)
	c.readHeads(r)
	c.readExperts(r)
	c.readAttention(r)
	c.readRope(r)
	c.readTokens(r)
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

// Has reports whether the file gives key a value other than null.
func (c *Config) Has(key string) bool {
	_, ok := c.doc.value(key)
	return ok
}

// Keys lists the keys for which Has is true, sorted.
func (c *Config) Keys() []string { return c.doc.keys() }

// Decode stores the value of a key that has no field here as json.Unmarshal does; false if the
// file does not give it.
func (c *Config) Decode(key string, into any) (bool, error) {
	raw, ok := c.doc.value(key)
	if !ok {
		return false, nil
	}
	if json.Unmarshal(raw, into) != nil {
		return false, c.Problem(key, fmt.Sprintf("is %s, it does not fit %T", showValue(raw), into))
	}
	return true, nil
}

// Problem is an error about a key of this file, for what only the family can judge; reason goes
// on from the key, as in "is 63, it must be a multiple of 8".
func (c *Config) Problem(key, reason string) error { return c.doc.failure(key, reason) }

func (c *Config) readIdentity(r *reader) {
	c.ModelType, _ = take(r, text, "model_type")
	c.Architecture, _ = take(r, firstName, "architectures")
	if c.ModelType == "" && c.Architecture == "" {
		r.fail("", "names neither architectures nor model_type")
	}
	c.DType, _ = take(r, elementType, "dtype", "torch_dtype")
	c.HiddenAct, _ = take(r, text, "hidden_act")
}

func firstName(raw json.RawMessage) (name string, problem string) {
	var names []string
	if json.Unmarshal(raw, &names) != nil || len(names) == 0 {
		return "", "a list of names"
	}
	return names[0], ""
}

func elementType(raw json.RawMessage) (dtype.Type, string) {
	name, _ := text(raw)
	switch strings.TrimPrefix(name, "torch.") {
	case "bfloat16":
		return dtype.BF16, ""
	case "float16":
		return dtype.F16, ""
	case "float32":
		return dtype.F32, ""
	}
	return dtype.Invalid, `"bfloat16", "float16" or "float32"`
}

func (c *Config) readSizes(r *reader) {
	c.HiddenSize = need(r, integer(1, maxHidden), "hidden_size")
	c.Layers = need(r, integer(1, maxLayers), "num_hidden_layers")
	c.VocabSize = need(r, integer(1, maxVocab), "vocab_size")
	c.MaxPositions = need(r, integer(1, maxInt32), "max_position_embeddings")
	c.Intermediate, _ = take(r, integer(1, maxWidth), "intermediate_size")
	c.RMSNormEps = need(r, float(0, 1, false), "rms_norm_eps")
	c.TieEmbeddings, _ = take(r, boolean, "tie_word_embeddings")
	c.MLPBias, _ = take(r, boolean, "mlp_bias")
}

func (c *Config) readHeads(r *reader) {
	c.Heads = need(r, integer(1, maxHeads), "num_attention_heads")
	c.KVHeads = either(r, c.Heads, integer(1, maxHeads), "num_key_value_heads")
	c.HeadDim, _ = take(r, integer(1, maxHeads), "head_dim")
	if r.err != nil {
		return
	}
	if c.Heads%c.KVHeads != 0 {
		r.fail("num_attention_heads", "is %d, it must be a multiple of num_key_value_heads (%d)",
			c.Heads, c.KVHeads)
	}
	if c.HeadDim != 0 {
		return
	}
	c.HeadDim = c.HiddenSize / c.Heads
	if c.HeadDim*c.Heads != c.HiddenSize {
		r.fail("hidden_size", "is %d, without head_dim it must be a multiple of "+
			"num_attention_heads (%d)", c.HiddenSize, c.Heads)
	}
}

func (c *Config) readExperts(r *reader) {
	c.Experts, _ = take(r, integer(1, maxExperts),
		"num_experts", "num_local_experts", "n_routed_experts", "num_routed_experts")
	if c.Experts > 0 {
		c.ExpertsPerToken = need(r, integer(1, int64(c.Experts)), "num_experts_per_tok")
	}
	c.MoEIntermediate, _ = take(r, integer(1, maxWidth), "moe_intermediate_size")
	c.SharedIntermediate, _ = take(r, integer(1, maxWidth), "shared_expert_intermediate_size")
	c.NormTopKProb = flag(r, "norm_topk_prob")
	c.DecoderSparseStep = either(r, 1, integer(1, maxLayers), "decoder_sparse_step")
	for _, layer := range r.list("mlp_only_layers", false, wide(0, int64(c.Layers)-1)) {
		c.MLPOnlyLayers = append(c.MLPOnlyLayers, int(layer))
	}
}

// readAttention takes the sliding window only where it is in force: some families write a window
// beside a switch that turns it off.
func (c *Config) readAttention(r *reader) {
	c.AttentionBias, _ = take(r, boolean, "attention_bias")
	if on, found := take(r, boolean, "use_sliding_window"); found != "" {
		if on {
			c.SlidingWindow = need(r, integer(1, maxInt32), "sliding_window")
		}
		return
	}
	c.SlidingWindow, _ = take(r, integer(1, maxInt32), "sliding_window")
}

// readTokens leaves the padding id unchecked against the vocabulary: some models name one that
// has no embedding, and nothing is computed from it.
func (c *Config) readTokens(r *reader) {
	last := int64(c.VocabSize) - 1
	c.BOS = either(r, -1, wide(-1, last), "bos_token_id")
	c.Pad = either(r, -1, wide(-1, maxInt32), "pad_token_id")
	c.EOS = r.list("eos_token_id", true, wide(0, last))
}
