package passes

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
	"moge/quant"
)

// families are configs of the shapes that formats/models emits, each with the ops that must
// be left when all passes ran.
var families = []struct {
	name, config string
	ops          map[ir.Op]int
}{
	{"pangu_pro_moe", panguConfig, map[ir.Op]int{
		ir.OpLinear: 9, ir.OpGroupedLinear: 4, ir.OpMoEGate: 2, ir.OpRotary: 4, ir.OpSwiGLU: 4,
		ir.OpAddRMSNorm: 3, ir.OpSoftmax: 0, ir.OpSiLU: 0, ir.OpStack: 6}},
	{"llama", `{"architectures":["LlamaForCausalLM"],"model_type":"llama",
		"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
		"intermediate_size":24,"vocab_size":24,"max_position_embeddings":32,"rms_norm_eps":1e-05,
		"rope_theta":10000.0,"hidden_act":"silu","torch_dtype":"float16",
		"tie_word_embeddings":true}`, map[ir.Op]int{
		ir.OpLinear: 9, ir.OpRotary: 4, ir.OpSwiGLU: 2, ir.OpAddRMSNorm: 3, ir.OpSiLU: 0}},
	{"qwen3_moe", `{"architectures":["Qwen3MoeForCausalLM"],"model_type":"qwen3_moe",
		"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
		"head_dim":8,"intermediate_size":24,"vocab_size":24,"max_position_embeddings":32,
		"rms_norm_eps":1e-06,"rope_theta":10000.0,"hidden_act":"silu","torch_dtype":"bfloat16",
		"num_experts":8,"num_experts_per_tok":2,"moe_intermediate_size":8,
		"norm_topk_prob":true}`, map[ir.Op]int{
		ir.OpLinear: 7, ir.OpGroupedLinear: 4, ir.OpMoEGate: 0, ir.OpSoftmax: 2, ir.OpRotary: 4,
		ir.OpSwiGLU: 2, ir.OpAddRMSNorm: 3, ir.OpSiLU: 0}},
}

// TestEveryFusionHappens counts what is left of the families' graphs.
func TestEveryFusionHappens(t *testing.T) {
	for _, f := range families {
		out, _, err := Compile(build(t, f.config), Options{Verify: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range ir.Ops() {
			if want, ok := f.ops[op]; ok && count(out, op) != want {
				t.Errorf("%s: %d of %v are left, want %d", f.name, count(out, op), op, want)
			}
		}
	}
}

// TestRestructuringIsExact: without a scheme the whole pipeline, and the pipeline without any
// one pass, gives every output bit for bit.
func TestRestructuringIsExact(t *testing.T) {
	for _, f := range families {
		g := build(t, f.config)
		w := weightsOf(g)
		want := outputs(t, g, w)
		eachOff(t, f.name, func(t *testing.T, off []string) {
			out, _, err := Compile(g, Options{Verify: true, Off: off})
			if err != nil {
				t.Fatal(err)
			}
			sameOutputs(t, g, outputs(t, out, w), want)
		})
	}
}

// eachOff runs fn with all passes on, with each optional pass off, with only each on, and with
// all off.
func eachOff(t *testing.T, name string, fn func(t *testing.T, off []string)) {
	var optional []string
	for _, p := range List() {
		if !p.Required && p.Name != "QuantizeLinears" && p.Name != "CastFloatWeights" {
			optional = append(optional, p.Name)
		}
	}
	t.Run(name+"/all", func(t *testing.T) { fn(t, nil) })
	t.Run(name+"/none", func(t *testing.T) { fn(t, optional) })
	for _, p := range optional {
		t.Run(name+"/without"+p, func(t *testing.T) { fn(t, []string{p}) })
		t.Run(name+"/only"+p, func(t *testing.T) {
			fn(t, slices.DeleteFunc(slices.Clone(optional), func(q string) bool { return q == p }))
		})
	}
}

// TestQuantizingCommutesWithRestructuring: rows of activations and of weights are quantized on
// their own, so under every scheme the outputs are the same bits whichever other passes ran.
func TestQuantizingCommutesWithRestructuring(t *testing.T) {
	for _, f := range families {
		g := build(t, f.config)
		w := weightsOf(g)
		for _, s := range quant.Schemes() {
			opt := Options{Verify: true, Scheme: s, Head: s, KV: dtype.F16, MinExpertTokens: 2}
			if s.NeedsStats() {
				opt.Stats = calibrated(t, g, w, opt)
			}
			var want []map[string]*tensor.Tensor
			eachOff(t, f.name+"/"+s.Name, func(t *testing.T, off []string) {
				opt.Off = off
				out, _, err := Compile(g, opt)
				if err != nil {
					t.Fatal(err)
				}
				got := outputs(t, out, w)
				if want == nil {
					want = got
				}
				sameOutputs(t, g, got, want)
			})
		}
	}
}

// calibrated measures g over the steps.
func calibrated(t *testing.T, g *ir.Graph, w interp.Weights, opt Options) *quant.Stats {
	t.Helper()
	observing, err := ForCalibration(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	stats := &quant.Stats{Source: "s", Calibration: "c", GateWeight: quant.GateAfterDown}
	measured := map[string]*quant.Observer{}
	state := interp.NewState()
	for _, in := range steps() {
		tap := func(n *ir.Node, results []*tensor.Tensor) {
			if n.Op == ir.OpObserve {
				observe(t, measured, n, results[0])
			}
		}
		_, err := interp.Run(observing, in, state, w, interp.Options{Tap: tap})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range observing.Nodes {
		if n.Op != ir.OpObserve {
			continue
		}
		for _, member := range ir.SiteMembers(n.Site) {
			site := measured[n.Site].Site()
			site.Name = member
			if err := stats.Add(site); err != nil {
				t.Fatal(err)
			}
		}
	}
	return stats
}

// observe gives all rows to the last expert of a grouped site, which is enough for one scale.
func observe(t *testing.T, all map[string]*quant.Observer, n *ir.Node, x *tensor.Tensor) {
	experts := 0
	if len(n.Args) == 2 {
		experts = int(n.Args[1].Type.Shape[0].Coef) - 1
	}
	if all[n.Site] == nil {
		all[n.Site] = quant.NewObserver(n.Site, experts)
	}
	if err := all[n.Site].Observe(experts-1, x.F32, x.Last()); err != nil {
		t.Error(err)
	}
}

// TestCalibrationObservesEverySite: the observed sites are those that Compile quantizes.
func TestCalibrationObservesEverySite(t *testing.T) {
	for _, f := range families {
		g := build(t, f.config)
		opt := Options{Scheme: scheme(t, "w8a8-dynamic"), Verify: true}
		observing, err := ForCalibration(g, opt)
		if err != nil {
			t.Fatal(err)
		}
		compiled, _, err := Compile(g, opt)
		if err != nil {
			t.Fatal(err)
		}
		got := sites(observing, ir.OpObserve, ir.OpObserve)
		if want := sites(compiled, ir.OpQLinear, ir.OpQGroupedLinear); !slices.Equal(got, want) {
			t.Errorf("%s: observed %v\nquantized %v", f.name, got, want)
		}
		if last := observing.Nodes[len(observing.Nodes)-1]; last.Op != ir.OpObserve {
			t.Errorf("%s: the last node is %s", f.name, ir.Format(last))
		}
	}
}

func sites(g *ir.Graph, a, b ir.Op) []string {
	var all []string
	for _, n := range g.Nodes {
		if n.Op == a || n.Op == b {
			all = append(all, n.Site)
		}
	}
	slices.Sort(all)
	return all
}

// TestCastToF32IsExact: f32 holds every bf16.
func TestCastToF32IsExact(t *testing.T) {
	g := build(t, panguConfig)
	w := weightsOf(g)
	out, report, err := Compile(g, Options{Verify: true, Float: dtype.F32})
	if err != nil {
		t.Fatal(err)
	}
	sameOutputs(t, g, outputs(t, out, w), outputs(t, g, w))
	if len(report.Casts) != 1 || report.Casts[0].From != dtype.BF16 || len(report.Warnings) != 0 {
		t.Errorf("the report is %+v", report)
	}
}

// TestCompileDoesNotEditItsInput also covers that a second run gives the same text.
func TestCompileDoesNotEditItsInput(t *testing.T) {
	g := build(t, panguConfig)
	before := g.String()
	opt := Options{Scheme: scheme(t, "w8a8-dynamic"), KV: dtype.I8, Float: dtype.F16}
	first, _, err := Compile(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := Compile(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	if g.String() != before {
		t.Error("the input changed")
	}
	if first.String() != second.String() {
		t.Error("two runs differ")
	}
	again, _, err := Compile(first, opt)
	if err != nil {
		t.Fatal(err)
	}
	if again.String() != first.String() {
		t.Errorf("compiling the result gives\n%s", again)
	}
}

// TestBigModel bounds the time and the memory that all passes allocate, garbage included,
// on the graph of the released model. A pass that is quadratic in the nodes takes minutes.
func TestBigModel(t *testing.T) {
	g := build(t, bigConfig)
	opt := Options{Scheme: scheme(t, "w8a8-dynamic"), Float: dtype.F16, KV: dtype.F16}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	out, _, err := Compile(g, opt)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	const maxTime, maxBytes = 1500 * time.Millisecond, 150 << 20
	bytes := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d nodes became %d in %v, %d MB allocated", len(g.Nodes), len(out.Nodes), took, bytes>>20)
	if took > maxTime || bytes > maxBytes {
		t.Errorf("the bounds are %v and %d MB", maxTime, maxBytes>>20)
	}
}
