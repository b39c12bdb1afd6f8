package fit

import (
	"fmt"
	"slices"
	"testing"

	"moge/codegen"
	"moge/quant"
)

const (
	noBF16 = "note type: Ascend310P3 has no bf16: activations and float weights are f16, " +
		"which ends at 65504"
	allOfEach = "no kernel for this router, which takes the best 2 of all 8 experts: " +
		"the kernel takes the best one of each of several equal groups"
)

func unproved(chip string) string {
	return "note proof: every op has a kernel for " + chip +
		", chosen by shapes; none is proved or executed here"
}

// reasons are the findings of an assessment without what to do.
func reasons(a *Assessment) []string {
	var list []string
	for _, f := range a.Findings {
		text := "note"
		if f.Blocks {
			text = "no"
		}
		text += " " + f.Rule + ": " + f.Why
		if f.Where != "" {
			text += " @ " + f.Where
		}
		list = append(list, text)
	}
	return list
}

func TestFindings(t *testing.T) {
	pangu := family + "pangu_pro_moe/config.json"
	for _, c := range []struct {
		config, scheme, product string
		replace                 []string
		want                    []string
	}{
		{tiny, "w8a8-dynamic", "300i-duo", nil, []string{unproved("Ascend310P3"), noBF16}},
		{tiny, "w8a8", "300i-duo", nil, []string{unproved("Ascend310P3"), noBF16}},
		{tiny, "w8a8-dynamic", "800i-a2", nil, []string{unproved("Ascend910B4"),
			"note type: kernels compute bf16 models in f16, which ends at 65504"}},
		{tiny, "none", "300i-duo", nil, []string{
			"no scheme: linears in float have no kernel @ layers.0.self_attn.q+k+v and 15 more",
			"no scheme: experts in float have no kernel @ layers.0.mlp.experts.gate+up and 7 more", noBF16}},
		{tiny, "w8a16", "300i-duo", nil, []string{"no scheme: linears that multiply int8 weights by float " +
			"rows have no kernel @ layers.0.self_attn.q+k+v and 23 more", noBF16}},
		{family + "mixtral/config.json", "w8a8-dynamic", "300i-duo", nil,
			[]string{"no router: " + allOfEach + " @ layers.0.mlp.experts and 1 more", noBF16}},
		{family + "qwen3_moe/config.json", "w8a8-dynamic", "300i-duo", nil,
			[]string{"no router: " + allOfEach + " @ layers.0.mlp.experts and 1 more",
				"no norm: queries and keys are normed head by head, which the kernel between projection and " +
					"rotation does not do @ layers.0.self_attn.q_norm and 3 more", noBF16}},
		{pangu, "w8a8-dynamic", "300i-duo", []string{`"hidden_size": 64`, `"hidden_size": 96`},
			[]string{"no heads: heads of 24: a multiple of 16 up to 128 is needed @ layers.0.self_attn and 1 more",
				noBF16}},
		{pangu, "w8a8-dynamic", "300i-duo", []string{`"hidden_size": 64`, `"hidden_size": 80`},
			[]string{"no heads: heads of 20: a multiple of 16 up to 128 is needed @ layers.0.self_attn and 1 more",
				"no width: a hidden size of 80: a multiple of 32 is needed @ embed", noBF16}},
		{pangu, "w8a8-dynamic", "300i-duo", []string{`"moe_intermediate_size": 32`, `"moe_intermediate_size": 40`},
			[]string{"no limit: kernel experts_64_gate_up_40x64: Width is 40, must be a positive multiple of 16",
				noBF16}},
	} {
		a := assessed(t, graph(t, c.config, c.scheme, c.replace...), c.product)
		if got := reasons(a); !slices.Equal(got, c.want) {
			t.Errorf("%s %s %s %v: got\n%q\nwant\n%q", c.config, c.scheme, c.product, c.replace, got, c.want)
		}
		if blocks := c.want[0][:2] == "no" && c.want[0][:4] != "note"; a.Runs() == blocks {
			t.Errorf("%s %s: runs is %v", c.config, c.scheme, a.Runs())
		}
	}
}

// Limits that no kernel is made for say which flag to change.
func TestLimitsOfAStep(t *testing.T) {
	l := codegen.Limits{BatchTokens: 1537, Seqs: 4, Context: 2048, LogitsRows: 16}
	g := graph(t, published, "w8a8-dynamic")
	a, err := Assess(g, Request{product(t, "300i-duo"), l, Reserve})
	if err != nil {
		t.Fatal(err)
	}
	want := Finding{Blocks: true, Rule: "limit",
		Why:     "kernel route_8of64: MaxTokens is 1537, must be 1 to 1536",
		Instead: "another --max-batch-tokens: it must be 1 to 1536"}
	if a.Findings[0] != want {
		t.Errorf("got %+v, want %+v", a.Findings[0], want)
	}
}

// The published model: 68.6 GiB of weights, 40 heads and 8 groups to share out.
func TestPublishedModelNeedsSeveralChips(t *testing.T) {
	g := graph(t, published, "w8a8-dynamic")
	for _, c := range []struct {
		product string
		chips   int
		memory  string
	}{{"300i-duo", 4, "20.0 GiB"}, {"300i-duo-96g", 2, "41.2 GiB"}, {"800i-a2", 4, "32.0 GiB"}} {
		a := assessed(t, g, c.product)
		want := Finding{Blocks: true, Rule: "memory", Why: fmt.Sprintf("weights of 68.6 GiB, an arena of %s and "+
			"2.0 GiB kept free are more than the %s of a chip", gib(a.Arena), c.memory),
			Instead: fmt.Sprintf("the weights alone need %d chips of %s, an estimate by division: moge simulate DIR "+
				"--target %s --devices %d tells how the model lies over them", c.chips, c.product, c.product, c.chips)}
		if a.Findings[0] != want || a.Chips != c.chips || a.Contexts != nil || a.Arena == 0 {
			t.Errorf("%s: got %+v, %d chips, contexts %v, arena %d; want %+v", c.product, a.Findings[0], a.Chips,
				a.Contexts, a.Arena, want)
		}
	}
}

// The small model where little memory is left to it.
func TestMemoryThatIsLeft(t *testing.T) {
	g := graph(t, tiny, "w8a8-dynamic")
	p := product(t, "300i-duo")
	whole := assessed(t, g, p.Name)
	page := whole.Cache.Page
	assess := func(room int64) *Assessment {
		a, err := Assess(g, Request{p, limits, whole.Memory - whole.WeightBytes() - whole.Arena - room})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := assess(2 * page); !a.Runs() || a.Contexts[0] != (Context{1, 512}) {
		t.Errorf("room for 512 positions: runs is %v, contexts %v", a.Runs(), a.Contexts)
	}
	want := Finding{Blocks: true, Rule: "context", Instead: "--context 256",
		Why: "one sequence of 512 positions takes 0.5 MiB, of a chip 0.5 MiB are left"}
	if got := assess(2*page - 1).Findings[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want.Why, want.Instead = "one sequence of 512 positions takes 0.5 MiB, of a chip 0.0 MiB are left",
		"a product with more memory"
	if got := assess(0).Findings[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	small, other := assess(-1).Findings[0], "one chip of 300i-duo-96g or of 800i-a2 holds it"
	if small.Rule != "memory" || small.Instead != other {
		t.Errorf("got %+v, want %q", small, other)
	}
}

func TestRanges(t *testing.T) {
	g := graph(t, tiny, "none")
	s, err := Ranges(g)
	if err != nil {
		t.Fatal(err)
	}
	if s.GateWeight != quant.GateAfterDown {
		t.Errorf("gate weight is %q", s.GateWeight)
	}
	site, ok := s.Site("layers.3.mlp.experts.down")
	if !ok || len(site.Experts) != 64 || site.Tokens != 64 {
		t.Errorf("got %+v, %v", site, ok)
	}
}

func TestGraphWithoutContext(t *testing.T) {
	g := graph(t, tiny, "w8a8-dynamic")
	g.SetMeta("context", "many")
	_, err := Assess(g, Request{product(t, "300i-duo"), limits, Reserve})
	want := `graph pangu_pro_moe: meta context is "many", want a number of positions`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
