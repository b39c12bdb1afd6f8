package driver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moge/codegen"
	"moge/codegen/balance"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
)

// describe fills what the manifest says about the model, the configuration and the origin.
// All of it comes from the graph's meta and the limits, so that it is the same whichever way
// the graph came here.
func describe(m *bundlepb.Manifest, g *ir.Graph, s Settings) error {
	facts := &factReader{g: g}
	m.FormatVersion = bundle.FormatVersion
	m.WriterVersion = codegen.Version
	m.Model = facts.model(s)
	m.Config = config(g, s)
	m.Certificate = balance.For(m)
	var err error
	m.Provenance, err = provenance(g, codegen.Version)
	if facts.err != nil {
		return facts.err
	}
	return err
}

// factReader reads meta entries and keeps the first error.
type factReader struct {
	g   *ir.Graph
	err error
}

func (f *factReader) text(key string) string { return meta(f.g, key) }

func (f *factReader) int(key string) int64 {
	n, err := strconv.ParseInt(f.text(key), 10, 64)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("meta %s is %q, want a number", key, f.text(key))
	}
	return n
}

// optional is nil for an empty entry.
func (f *factReader) optional(key string) *int64 {
	if f.text(key) == "" {
		return nil
	}
	n := f.int(key)
	return &n
}

func (f *factReader) model(s Settings) *bundlepb.Model {
	m := &bundlepb.Model{
		Name: f.g.Name, Architecture: f.text("architecture"),
		VocabSize: f.int("vocab_size"), HiddenSize: f.int("hidden_size"), Layers: f.int("layers"), Context: f.int("context"),
		Experts: f.int("experts"), ExpertsPerToken: f.int("experts_per_token"), Groups: f.int("groups"),
		BosId: f.optional("bos"), PadId: f.optional("pad"),
		ParametersTotal: f.int("parameters_total"), ParametersActive: f.int("parameters_active"),
		Scheme: f.text(configPrefix + "scheme"), KvDtype: bundlepb.DType(s.Passes.KV),
		Generation: f.generation(),
	}
	for _, id := range strings.FieldsFunc(f.text("eos"), func(r rune) bool { return r == ',' }) {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil && f.err == nil {
			f.err = fmt.Errorf("meta eos is %q, want numbers", f.text("eos"))
		}
		m.EosIds = append(m.EosIds, n)
	}
	return m
}

func (f *factReader) generation() *bundlepb.Generation {
	g := &bundlepb.Generation{TopK: f.optional("top_k")}
	if sample, err := strconv.ParseBool(f.text("do_sample")); err == nil {
		g.DoSample = &sample
	}
	if v, err := strconv.ParseFloat(f.text("temperature"), 64); err == nil {
		g.Temperature = &v
	}
	if v, err := strconv.ParseFloat(f.text("top_p"), 64); err == nil {
		g.TopP = &v
	}
	return g
}

// config lists the effective settings that determine the bytes, sorted by key.
func config(g *ir.Graph, s Settings) []*bundlepb.KeyValue {
	l := s.Limits
	entries := []*bundlepb.KeyValue{
		{Key: "target", Value: s.Target},
		{Key: "context", Value: strconv.FormatInt(l.Context, 10)},
		{Key: "max_batch_tokens", Value: strconv.FormatInt(l.BatchTokens, 10)},
		{Key: "max_logits_rows", Value: strconv.FormatInt(l.LogitsRows, 10)},
		{Key: "max_seqs", Value: strconv.FormatInt(l.Seqs, 10)},
		{Key: "gate_weight", Value: meta(g, "gate_weight")},
	}
	if text := meta(g, "placement"); text != "" {
		entries = append(entries, &bundlepb.KeyValue{Key: "placement", Value: text})
	}
	if s.Passes.KV != dtype.Invalid {
		entries = append(entries, &bundlepb.KeyValue{Key: "kv", Value: s.Passes.KV.String()})
	}
	for _, m := range g.Meta {
		if key, ok := strings.CutPrefix(m.Key, configPrefix); ok {
			entries = append(entries, &bundlepb.KeyValue{Key: key, Value: m.Value})
		}
	}
	slices.SortFunc(entries, func(a, b *bundlepb.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	return entries
}
