package fit

import (
	"testing"

	"moge/ascend/soc"
	"moge/codegen"
	"moge/ir"
	"moge/passes"
	"moge/tests/fixture"
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
	g := fixture.Graph(t, config, replace...)
	stats, err := Ranges(g)
	if err != nil {
		t.Fatal(err)
	}
	return fixture.ForCard(t, g, passes.Options{Scheme: fixture.Scheme(t, scheme), Stats: stats})
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
