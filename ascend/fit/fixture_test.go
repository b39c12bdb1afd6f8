package fit

import (
	"bytes"
	"os"
	"testing"

	"moge/ascend/soc"
	"moge/codegen"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/ir"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

const (
	tiny      = "../../tests/testdata/tiny-moge/config.json"
	published = "../../formats/models/testdata/pangu_published.json"
	family    = "../../tests/testdata/families/"
)

// graph is the model of a config after all passes, as a card computes it. Replace is pairs of texts
// in the config.
func graph(t *testing.T, config, scheme string, replace ...string) *ir.Graph {
	t.Helper()
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !bytes.Contains(data, []byte(replace[i])) {
			t.Fatalf("%s has no %s", config, replace[i])
		}
		data = bytes.ReplaceAll(data, []byte(replace[i]), []byte(replace[i+1]))
	}
	cfg, err := hf.ParseConfig(config, data)
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := models.Build(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := passes.Options{KV: dtype.F16, Float: dtype.F16, Activations: dtype.F16}
	if o.Scheme, err = quant.ParseScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if o.Stats, err = Ranges(g); err != nil {
		t.Fatal(err)
	}
	if g, _, err = passes.Compile(g, o); err != nil {
		t.Fatal(err)
	}
	return g
}

func product(t *testing.T, name string) soc.Product {
	t.Helper()
	p, err := soc.FindProduct(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var limits = codegen.Limits{BatchTokens: 256, Seqs: 4, Context: 512, LogitsRows: 16}

// assessed is the assessment of a graph on a product, with the usual reserve.
func assessed(t *testing.T, g *ir.Graph, name string) *Assessment {
	t.Helper()
	a, err := Assess(g, Request{product(t, name), limits, Reserve})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
