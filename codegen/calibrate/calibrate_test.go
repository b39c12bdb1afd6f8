package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"moge/codegen/weights"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/quant"
)

var testModels = []string{"families/llama", "families/mixtral", "families/pangu_pro_moe", "families/qwen3",
	"families/qwen3_moe"}

func run(t testing.TB, g *ir.Graph, src weights.Source, windows [][]int32, opt Options) []quant.Site {
	t.Helper()
	sites, err := Run(context.Background(), g, src, windows, opt)
	if err != nil {
		t.Fatal(err)
	}
	return sites
}

// plain measures the same by the interpreter alone, window by window.
func plain(t testing.TB, g *ir.Graph, src interp.Weights, windows [][]int32) map[string]quant.Site {
	t.Helper()
	sites := map[string]quant.Site{}
	for _, w := range windows {
		in := interp.Inputs{Tokens: w, Sequences: make([]int32, len(w))}
		for i := range w {
			in.Positions, in.Rows = append(in.Positions, int32(i)), append(in.Rows, int32(i))
		}
		var offsets []int32
		tap := func(n *ir.Node, results []*tensor.Tensor) {
			switch n.Op {
			case ir.OpRoute:
				offsets = results[1].I32
			case ir.OpObserve:
				site := sites[n.Site]
				if len(n.Args) == 2 && site.Experts == nil {
					site.Experts = make([]quant.Range, len(offsets)-1)
				}
				widen(&site, results[0], offsets)
				sites[n.Site] = site
			}
		}
		if _, err := interp.Run(g, in, nil, src, interp.Options{Tap: tap}); err != nil {
			t.Fatal(err)
		}
	}
	return sites
}

func widen(site *quant.Site, x *tensor.Tensor, offsets []int32) {
	width := x.Last()
	for r := range x.Len() / width {
		top := float32(0)
		for _, v := range x.F32[r*width : (r+1)*width] {
			top = max(top, max(v, -v))
		}
		site.AMax, site.Tokens = max(site.AMax, top), site.Tokens+1
		for e := range site.Experts {
			if int(offsets[e]) <= r && r < int(offsets[e+1]) {
				site.Experts[e].AMax = max(site.Experts[e].AMax, top)
				site.Experts[e].Tokens++
			}
		}
	}
}

// closeTo compares a largest magnitude with that of exactly accumulated sums. A linear of
// the test models adds at most 192 products, each sum off by 2^-24 of the sum of the
// magnitudes, which cancellation leaves some ten times the result; a site has at most 12
// linears before it: 192 · 2^-24 · 10 · 12 is below 1.4e-3.
func closeTo(got, want float32) bool {
	return math.Abs(float64(got-want)) <= 1.4e-3*float64(want)
}

func TestRunMeasuresWhatTheInterpreterSees(t *testing.T) {
	for _, dir := range testModels {
		t.Run(dir, func(t *testing.T) {
			g, src := observedModel(t, dir)
			windows := ragged(goldenWindows(t, dir))
			want := plain(t, g, src, windows)
			members := 0
			got := run(t, g, src, windows, Options{})
			byName := map[string]quant.Site{}
			for _, s := range got {
				byName[s.Name] = s
			}
			for fused, w := range want {
				for _, name := range ir.SiteMembers(fused) {
					members++
					compareSites(t, name, byName[name], w)
				}
			}
			if members != len(got) {
				t.Errorf("%d sites measured, the interpreter saw %d", len(got), members)
			}
		})
	}
}

func compareSites(t *testing.T, name string, got, want quant.Site) {
	t.Helper()
	if !closeTo(got.AMax, want.AMax) || got.Tokens != want.Tokens || len(got.Experts) != len(want.Experts) {
		t.Errorf("%s: got %v of %d experts, want %v of %d", name, got.Range, len(got.Experts), want.Range,
			len(want.Experts))
		return
	}
	for e := range want.Experts {
		if !closeTo(got.Experts[e].AMax, want.Experts[e].AMax) || got.Experts[e].Tokens != want.Experts[e].Tokens {
			t.Errorf("%s, expert %d: got %v, want %v", name, e, got.Experts[e], want.Experts[e])
		}
	}
}

// The tokens that each expert saw are those of the golden expert choices.
func TestExpertTokensAreTheGoldenOnes(t *testing.T) {
	for _, dir := range []string{"families/pangu_pro_moe", "tiny-moge"} {
		g, src := observedModel(t, dir)
		ids, dims := goldenInts(t, dir, "expert_ids") // [layers,B,T,K]
		sites := run(t, g, src, goldenWindows(t, dir), Options{Workers: 2})
		for layer := range int(dims[0]) {
			size := len(ids) / int(dims[0])
			counts := map[int32]int64{}
			for _, id := range ids[layer*size : (layer+1)*size] {
				counts[id]++
			}
			checked := 0
			for _, s := range sites {
				if !strings.HasPrefix(s.Name, fmt.Sprintf("layers.%d.mlp.experts.", layer)) {
					continue
				}
				checked++
				for e, r := range s.Experts {
					if r.Tokens != counts[int32(e)] {
						t.Errorf("%s: expert %d of %s saw %d tokens, golden %d", dir, e, s.Name, r.Tokens, counts[int32(e)])
					}
				}
				if s.Tokens != int64(size) {
					t.Errorf("%s: %s saw %d rows, want %d", dir, s.Name, s.Tokens, size)
				}
			}
			if checked != 3 {
				t.Errorf("%s: layer %d has %d sites of experts, want gate, up and down", dir, layer, checked)
			}
		}
	}
}

// Neither the number of workers nor the cut into batches changes a bit.
func TestStatisticsDoNotDependOnWorkersOrBatches(t *testing.T) {
	for _, dir := range testModels {
		g, src := observedModel(t, dir)
		windows := ragged(goldenWindows(t, dir))
		want := run(t, g, src, windows, Options{Workers: 1})
		for workers := 1; workers <= 3; workers++ {
			for _, tokens := range []int64{1, 7, 40, defaultBatch} {
				opt := Options{Workers: workers, MaxMemory: 2 * bytesPerToken(g) * tokens}
				if got := run(t, g, src, windows, opt); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %d workers on batches of %d tokens measure something else", dir, workers, tokens)
				}
			}
		}
	}
}

func TestRunReportsBatches(t *testing.T) {
	g, src := observedModel(t, "families/llama")
	var seen []string
	run(t, g, src, [][]int32{{1, 2, 3}, {4, 5}, {6}}, Options{MaxMemory: 1, Progress: func(done, total int64) {
		seen = append(seen, fmt.Sprint(done, "/", total))
	}})
	if got := strings.Join(seen, " "); got != "1/3 2/3 3/3" {
		t.Errorf("progress %s", got)
	}
}

func TestRunStopsWhenCancelled(t *testing.T) {
	g, src := observedModel(t, "families/llama")
	ctx, cancel := context.WithCancel(context.Background())
	opt := Options{MaxMemory: 1, Progress: func(done, _ int64) {
		if done == 2 {
			cancel()
		}
	}}
	if _, err := Run(ctx, g, src, [][]int32{{1}, {2}, {3}, {4}}, opt); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// small is an embedding, a linear and experts behind observers.
func small(t testing.TB) (*ir.Graph, memory) {
	t.Helper()
	b := ir.NewBuilder("small")
	tokens := b.Input("tokens", ir.Tensor(dtype.I32, shape.Shape{shape.Of(shape.T)}))
	x := b.Op1(ir.OpEmbed, "embed", tokens, b.Weight("table", dtype.F32, 4, 2))
	x = b.Op1(ir.OpLinear, "a", b.Op1(ir.OpObserve, "a", x), b.Weight("a", dtype.F32, 2, 2))
	gate := b.Add(ir.OpTopK, "r", []*ir.Value{x}, ir.Int("k", 1))
	order := b.Add(ir.OpRoute, "r", []*ir.Value{gate[1]}, ir.Int("experts", 2))
	rows := b.Op1(ir.OpPermute, "r", x, order[0])
	b.Op1(ir.OpObserve, "layers.0.mlp.experts.gate+up", rows, order[1])
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g, memory{
		"table": tensor.FromF32([]float32{1, 0, 0, -3, float32(math.NaN()), 0, 3e38, 0}, 4, 2),
		"a":     tensor.FromF32([]float32{2, 0, 0, -5}, 2, 2),
	}
}

// memory is a checkpoint in memory.
type memory map[string]*tensor.Tensor

func (m memory) ReadAt(name string, dst []byte, off int64) error {
	copy(dst, m[name].Bytes()[off:])
	return nil
}

func TestSitesOfASmallGraph(t *testing.T) {
	g, src := small(t)
	got := run(t, g, src, [][]int32{{0, 1}, {1}}, Options{})
	experts := quant.Site{Range: quant.Range{AMax: 15, Tokens: 3},
		Experts: []quant.Range{{AMax: 2, Tokens: 1}, {AMax: 15, Tokens: 2}}}
	gate, up := experts, experts
	gate.Name, up.Name = "layers.0.mlp.experts.gate", "layers.0.mlp.experts.up"
	want := []quant.Site{{Name: "a", Range: quant.Range{AMax: 3, Tokens: 3}}, gate, up}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestErrorsNameTheSite(t *testing.T) {
	g, src := small(t)
	for _, c := range []struct {
		token int32
		want  string
	}{
		{2, `observe at "a": site a: activation NaN at row 1, column 0; the model overflows on the calibration text`},
		{3, `observe at "layers.0.mlp.experts.gate+up": site layers.0.mlp.experts.0 (gate+up): ` +
			`activation +Inf at row 1, column 0; the model overflows on the calibration text`},
		{4, `embed at "embed": token 4 is outside the vocabulary of 4`},
		{-1, `embed at "embed": token -1 is outside the vocabulary of 4`},
	} {
		_, err := Run(context.Background(), g, src, [][]int32{{0, c.token}}, Options{})
		if err == nil || err.Error() != c.want {
			t.Errorf("token %d: got %v\nwant %s", c.token, err, c.want)
		}
	}
	broken := errors.New("the file was cut short")
	if _, err := Run(context.Background(), g, unreadable{broken}, [][]int32{{0}},
		Options{}); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type unreadable struct{ err error }

func (u unreadable) ReadAt(string, []byte, int64) error { return u.err }
