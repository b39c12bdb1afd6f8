package driver

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/quant"
)

// StatsFile holds the calibration statistics that static scales came from, in a quantized
// directory and in a bundle.
const StatsFile = "calibration.stats"

// SettingsOf recovers from a bundle the settings that it was compiled with.
func SettingsOf(b *bundle.Bundle) (Settings, error) {
	c := configReader{values: map[string]string{}, dir: b.Dir()}
	for _, kv := range b.Manifest().Config {
		c.values[kv.Key] = kv.Value
	}
	s := Settings{Target: c.values["target"], Limits: codegen.Limits{
		BatchTokens: c.int("max_batch_tokens"), Seqs: c.int("max_seqs"), Context: c.int("context"), LogitsRows: c.int("max_logits_rows")}}
	s.Passes.Scheme = c.scheme("scheme")
	s.Passes.Head = c.scheme("head")
	s.Passes.KV = c.dtype("kv")
	s.Passes.Float = c.dtype("float")
	s.Passes.Off = strings.Fields(c.values["passes_off"])
	if text := c.values["placement"]; text != "" {
		p, err := placement.Parse(text, len(b.Manifest().Ranks))
		c.keep("placement", err)
		s.Passes.Placement, s.Passes.PlacementRules = p, CPURules(math.MaxFloat64)
	}
	for _, text := range strings.Fields(c.values["overrides"]) {
		o, err := quant.ParseOverride(text)
		c.keep("overrides", err)
		s.Passes.Overrides = append(s.Passes.Overrides, o)
	}
	if _, ok := c.values["min_expert_tokens"]; ok {
		s.Passes.MinExpertTokens = c.int("min_expert_tokens")
		data, err := b.File(StatsFile)
		c.keep(StatsFile, err)
		if err == nil {
			s.Passes.Stats, err = quant.ParseStats(data)
			c.keep(StatsFile, err)
		}
	}
	return s, c.err
}

// configReader reads the manifest's settings and keeps the first error.
type configReader struct {
	values map[string]string
	dir    string
	err    error
}

func (c *configReader) keep(key string, err error) {
	if err != nil && c.err == nil {
		c.err = &InputError{c.dir, fmt.Sprintf("setting %s of the manifest: %v", key, err), "compile it again"}
	}
}

func (c *configReader) int(key string) int64 {
	n, err := strconv.ParseInt(c.values[key], 10, 64)
	c.keep(key, err)
	return n
}

func (c *configReader) scheme(key string) quant.Scheme {
	if c.values[key] == "" {
		return quant.Scheme{}
	}
	s, err := quant.ParseScheme(c.values[key])
	c.keep(key, err)
	return s
}

func (c *configReader) dtype(key string) dtype.Type {
	if c.values[key] == "" {
		return dtype.Invalid
	}
	t, err := dtype.Parse(c.values[key])
	c.keep(key, err)
	return t
}
