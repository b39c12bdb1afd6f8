package main

import (
	"context"
	"slices"
	"strconv"

	"moge/codegen/balance"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/hf"
	"moge/formats/safetensors"
	"moge/formats/tokenizer"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

const inspectSchema = "moge.inspect/1"

// inspection is the report of inspect; a part that could not be read is absent. Sizes are bytes.
type inspection struct {
	Schema      string         `json:"schema"`
	Path        string         `json:"path"`
	Kind        string         `json:"kind"`
	Convertible bool           `json:"convertible"` // can be compiled, or is a bundle
	Model       *modelFacts    `json:"model,omitempty"`
	Sizes       *modelSizes    `json:"sizes,omitempty"`
	Tensors     []tally        `json:"tensors"` // by element type
	Shards      int            `json:"shards"`
	Tokenizer   *vocabulary    `json:"tokenizer,omitempty"`
	Weights     []schemeMemory `json:"weights,omitempty"` // of a bundle, by scheme
	RunTime     *runTime       `json:"run_time,omitempty"`
	KVPerToken  []tally        `json:"kv_bytes_per_token,omitempty"` // by element type
	Targets     []string       `json:"targets,omitempty"`            // that a bundle runs on
	Placement   string         `json:"placement,omitempty"`          // of a bundle for several ranks
	Gate        *gateFacts     `json:"gate,omitempty"`               // of a bundle with kernels
	Missing     []string       `json:"missing"`
	Unknown     []string       `json:"unknown"`
	Dropped     []string       `json:"dropped"`
}

type modelSizes struct {
	Layers          int64 `json:"layers"`
	Hidden          int64 `json:"hidden"`
	Heads           int64 `json:"heads,omitempty"`
	KVHeads         int64 `json:"kv_heads,omitempty"`
	HeadDim         int64 `json:"head_dim,omitempty"`
	Vocab           int64 `json:"vocab"`
	Context         int64 `json:"context"`
	Experts         int64 `json:"experts"`
	ExpertsPerToken int64 `json:"experts_per_token"`
	Groups          int64 `json:"groups"`
}

type vocabulary struct {
	Size     int  `json:"size"`
	Specials int  `json:"specials"`
	AddsBOS  bool `json:"adds_bos"`
}

// schemeMemory is what the weights of a bundle take under a scheme.
type schemeMemory struct {
	Scheme string `json:"scheme"`
	Bytes  int64  `json:"bytes"`
}

func newInspection(path, kind string) *inspection {
	return &inspection{Schema: inspectSchema, Path: path, Kind: kind, Convertible: true,
		Tensors: []tally{},
		Missing: []string{}, Unknown: []string{}, Dropped: []string{}}
}

func (r *inspection) addConfig(c *hf.Config) {
	r.Model = &modelFacts{Architecture: c.Architecture, Scheme: "none"}
	r.Sizes = &modelSizes{Layers: int64(c.Layers), Hidden: int64(c.HiddenSize), Heads: int64(c.Heads),
		KVHeads: int64(c.KVHeads), HeadDim: int64(c.HeadDim), Vocab: int64(c.VocabSize),
		Context: int64(c.MaxPositions),
		Experts: int64(c.Experts), ExpertsPerToken: int64(c.ExpertsPerToken)}
	r.addKV(int64(c.Layers), int64(c.KVHeads), int64(c.HeadDim))
}

// addKV is what a position takes in the cache: keys and values of all layers, and for int8 a
// float32 scale for each head.
func (r *inspection) addKV(layers, heads, width int64) {
	for _, t := range []dtype.Type{dtype.F32, dtype.F16, dtype.I8} {
		perHead := t.Bytes(width)
		if t == dtype.I8 {
			perHead += 4
		}
		r.KVPerToken = append(r.KVPerToken, tally{Kind: t.String(), Count: 1,
			Bytes: 2 * layers * heads * perHead})
	}
}

func (r *inspection) addTensors(c *safetensors.Checkpoint) {
	r.Shards = len(c.Shards())
	for _, name := range c.Names() {
		t, _ := c.Tensor(name)
		r.Tensors = count(r.Tensors, t.DType.String(), t.Size)
	}
}

func (r *inspection) addTokenizer(t *tokenizer.Tokenizer) {
	if t != nil {
		r.Tokenizer = &vocabulary{t.Size(), len(t.Specials()), t.AddBOS()}
	}
}

// addGraph takes what only the family knows.
func (r *inspection) addGraph(g *ir.Graph) {
	r.Model.Name = g.Name
	r.Model.Total, r.Model.Active = metaNumber(g, "parameters_total"), metaNumber(g, "parameters_active")
	r.Sizes.Groups = metaNumber(g, "groups")
	if scheme, ok := g.GetMeta("config.scheme"); ok {
		r.Model.Scheme = scheme
	}
}

// metaNumber is a number of a graph's meta; an absent one is zero.
func metaNumber(g *ir.Graph, key string) int64 {
	text, _ := g.GetMeta(key)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// addMemory plans for each scheme that needs no calibration; a calibrated one takes as much as
// its dynamic sister, but for one number a linear. What is quantized already has one scheme.
func (r *inspection) addMemory(ctx context.Context, m *driver.Model) error {
	schemes := slices.DeleteFunc(quant.Schemes(), quant.Scheme.NeedsStats)
	if m.Quantized {
		schemes = []quant.Scheme{{Name: r.Model.Scheme}}
	}
	for _, scheme := range schemes {
		s := driver.Settings{Target: "cpu", Passes: passes.Options{Scheme: scheme, KV: dtype.F16}}
		p, err := driver.Prepare(ctx, m, s)
		if err != nil {
			return err
		}
		summary := p.Summary()
		r.Weights = append(r.Weights, schemeMemory{scheme.Name, summary.WeightBytes})
		run := runTimeOf(summary)
		r.RunTime = &run
	}
	return nil
}

func (r *inspection) addManifest(m *bundlepb.Manifest) {
	facts := factsOf(m.Model)
	r.Model = &facts
	r.Sizes = &modelSizes{Layers: m.Model.Layers, Hidden: m.Model.HiddenSize, Vocab: m.Model.VocabSize,
		Context: m.Model.Context, Experts: m.Model.Experts, ExpertsPerToken: m.Model.ExpertsPerToken,
		Groups: m.Model.Groups}
	r.Tensors, r.Shards = tallySections(m), len(m.Ranks)
	r.Weights = []schemeMemory{{m.Model.Scheme, bundle.WeightBytes(m)}}
	run := runTimeOf(&driver.Summary{Manifest: m, WeightBytes: bundle.WeightBytes(m),
		ArenaBytes: driver.ArenaBytes(m), CacheBytes: driver.CacheBytes(m)})
	r.RunTime = &run
	r.Targets, r.Gate = m.Targets, gateOf(m)
	if len(m.Ranks) > 1 {
		r.Placement = balance.PlacementOf(m).String()
	}
}
