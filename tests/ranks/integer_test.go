package ranks

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"moge/codegen/calibrate"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/placement"
	"moge/ir/tensor"
	"moge/passes"
	"moge/quant"
	"moge/tests/fixture"
)

// record is the integers of one run by site: rows in int8, and sums of products, in order.
type record struct {
	mu    sync.Mutex
	rows  map[string][]*tensor.Tensor
	sums  map[string][]*tensor.Tensor
	norms map[string][]*tensor.Tensor // what norms gave
}

func newRecord() *record {
	return &record{rows: map[string][]*tensor.Tensor{}, sums: map[string][]*tensor.Tensor{},
		norms: map[string][]*tensor.Tensor{}}
}

func (r *record) tap(n *ir.Node, results []*tensor.Tensor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch n.Op {
	case ir.OpQuantize, ir.OpQuantizeStatic:
		r.rows[n.Site] = append(r.rows[n.Site], results[0])
	case ir.OpDotI8, ir.OpGroupedDotI8:
		r.sums[n.Site] = append(r.sums[n.Site], results[0])
	case ir.OpRMSNorm, ir.OpAddRMSNorm:
		r.norms[n.Site] = results
	}
}

// columns is columns lo to hi of a matrix of integers.
func columns(t *tensor.Tensor, lo, hi int64) []int32 {
	width := int64(t.Last())
	var out []int32
	for r := range t.Shape[0] {
		for c := lo; c < hi; c++ {
			if t.DType == dtype.I8 {
				out = append(out, int32(t.I8[r*width+c]))
			} else {
				out = append(out, t.I32[r*width+c])
			}
		}
	}
	return out
}

func all(t *tensor.Tensor) []int32 { return columns(t, 0, int64(t.Last())) }

// worldStep is a step whose tokens lie as ranks have them: so many of each group of attention, without
// padding.
func worldStep(p placement.Placement, tokens int) (whole interp.Inputs, in []interp.RankInputs) {
	each := tokens / p.Attn.DP
	in = make([]interp.RankInputs, p.Devices)
	for i := range tokens {
		g, at := i/each, int32(i%each)
		whole.Tokens = append(whole.Tokens, int32(i*37+11))
		whole.Positions, whole.Sequences = append(whole.Positions, at), append(whole.Sequences, int32(g))
		for r := range in {
			if p.Attn.DataGroup().Index(r) == g {
				in[r].Tokens, in[r].Positions = append(in[r].Tokens, int32(i*37+11)), append(in[r].Positions, at)
				in[r].Sequences = append(in[r].Sequences, 0)
			}
		}
	}
	whole.Rows = []int32{0}
	for r := range in {
		in[r].Rows = whole.Rows
	}
	return whole, in
}

// forced gives norms of a rank the rows that one rank alone has, so that what follows has equal inputs.
func forced(one *record, p placement.Placement, rank, tokens int) func(*ir.Node, []*tensor.Tensor) (
	[]*tensor.Tensor, bool, error) {
	return func(n *ir.Node, args []*tensor.Tensor) ([]*tensor.Tensor, bool, error) {
		from := one.norms[n.Site]
		if n.Op != ir.OpRMSNorm && n.Op != ir.OpAddRMSNorm || n.Site == "norm" || from == nil {
			return nil, false, nil
		}
		count := int(args[0].Shape[0])
		ranks := count * p.Devices / tokens
		lo := rank / ranks * count
		results := make([]*tensor.Tensor, len(from))
		for i, t := range from {
			width := t.Last()
			part := slices.Clone(t.F32[lo*width : (lo+count)*width])
			results[i] = tensor.FromF32(part, int64(count), int64(width))
		}
		return results, true, nil
	}
}

// rowsOf are the rows of one rank's matrix that a rank has: those of its group, or of its experts.
func rowsOf(one, got *tensor.Tensor, p placement.Placement, rank int, experts bool) *tensor.Tensor {
	count, width := int(got.Shape[0]), one.Last()
	lo := 0
	if experts {
		lo = p.Experts.ExpertGroup().Index(rank) * count
	} else if ranks := count * p.Devices / int(one.Shape[0]); ranks > 0 {
		lo = rank / ranks * count
	}
	out := tensor.New(one.DType, int64(count), int64(width))
	out.Copy(0, one, lo*width, count*width)
	return out
}

// checkIntegers compares what ranks had with what one rank alone had. Experts of one group follow each
// other, so that a rank's rows, sorted by expert, are a range of the rows of all.
func checkIntegers(t *testing.T, p placement.Placement, one *record, ranks []*record, blocks bool) {
	t.Helper()
	for site, rows := range one.rows {
		d := part(p, site)
		if site == "lm_head" || scattered(site, d) {
			continue
		}
		experts := strings.HasSuffix(site, "experts.down")
		for r, rank := range ranks {
			want := rowsOf(rows[0], rank.rows[site][0], p, r, experts)
			lo, hi := int64(0), int64(want.Last())
			if rowParallel(site) {
				lo, hi = share(hi, d, r)
			}
			if !slices.Equal(all(rank.rows[site][0]), columns(want, lo, hi)) {
				t.Errorf("%v: rank %d: int8 rows of %s differ", p, r, site)
			}
		}
	}
	for site, sums := range one.sums {
		d := part(p, site)
		if !rowParallel(site) || scattered(site, d) {
			continue
		}
		for r := range ranks {
			experts := strings.HasSuffix(site, "experts.down")
			if blocks && d.TP > 1 {
				want := rowsOf(sums[d.TensorGroup().Index(r)], ranks[r].sums[site][0], p, r, experts)
				if !slices.Equal(all(ranks[r].sums[site][0]), all(want)) {
					t.Errorf("%v: rank %d: sums of %s differ", p, r, site)
				}
				continue
			}
			total := make([]int32, ranks[r].sums[site][0].Len())
			for _, member := range d.TensorGroup().Members(r) {
				for i, v := range all(ranks[member].sums[site][0]) {
					total[i] += v
				}
			}
			if want := rowsOf(sums[0], ranks[r].sums[site][0], p, r, experts); !slices.Equal(total, all(want)) {
				t.Errorf("%v: rank %d: sums of %s do not add up", p, r, site)
			}
		}
	}
}

// scattered: of fewer tokens, the rows of experts are not a range of those of all tokens.
func scattered(site string, d placement.Degrees) bool {
	return strings.HasSuffix(site, "experts.down") && d.DP > 1
}

func rowParallel(site string) bool {
	return strings.HasSuffix(site, ".o") || strings.HasSuffix(site, ".down")
}

func part(p placement.Placement, site string) placement.Degrees {
	switch {
	case strings.Contains(site, ".experts"):
		return p.Experts
	case strings.Contains(site, ".shared"):
		return p.Shared
	}
	return p.Attn
}

// share is the columns of a rank of a width that its group splits.
func share(width int64, d placement.Degrees, rank int) (lo, hi int64) {
	size := width / int64(d.TP)
	lo = int64(d.TensorGroup().Index(rank)) * size
	return lo, lo + size
}

// TestIntegersOnRanks: from equal rows, ranks have the int8 rows and the sums of one rank. With a fixed
// range the sums of the parts of a product add up to that of the whole; with the range of each row, the
// graph of one rank that has a scale for each part (k_blocks) has the sums of each.
func TestIntegersOnRanks(t *testing.T) {
	t.Parallel()
	w := checkpoint(t)
	for _, scheme := range []string{"w8a8", "w8a8-dynamic"} {
		o := passes.Options{Scheme: fixture.Scheme(t, scheme)}
		if o.Scheme.NeedsStats() {
			o.Stats = statistics(t)
		}
		whole, _ := graphs(t, o, placement.Single(), allLayers, `"num_hidden_layers": 2`)
		for i, p := range legal(t, whole) {
			if p.Devices > 2 && i%9 != 0 && p != placement.H2P(p.Devices) || p.EmbedTP > 1 {
				continue
			}
			integersOf(t, w, o, p)
		}
	}
}

const worldTokens = 16

func integersOf(t *testing.T, w interp.Weights, o passes.Options, p placement.Placement) {
	t.Helper()
	blocked, cut := blocks(t, o, p)
	one := newRecord()
	whole, in := worldStep(p, worldTokens)
	if _, err := interp.Run(blocked, whole, nil, w, interp.Options{Tap: one.tap}); err != nil {
		t.Fatal(err)
	}
	ranks := make([]*record, p.Devices)
	_, err := interp.RunRanks(cut, in, w, func(rank int) interp.Options {
		ranks[rank] = newRecord()
		return interp.Options{Tap: ranks[rank].tap, Override: forced(one, p, rank, worldTokens)}
	})
	if err != nil {
		t.Fatal(p, err)
	}
	checkIntegers(t, p, one, ranks, o.Scheme.Name == "w8a8-dynamic")
}

// blocks is the graph of one rank with the scales of a placement, and the graph of the ranks.
func blocks(t *testing.T, o passes.Options, p placement.Placement) (whole, cut *ir.Graph) {
	t.Helper()
	_, cut = graphs(t, o, p, allLayers, `"num_hidden_layers": 2`)
	o.Placement, o.PlacementRules = p, rules
	o.Dump = func(_ int, name string, g *ir.Graph) error {
		if name == "BlockDynamicScales" {
			whole = g
		}
		return nil
	}
	g := fixture.Graph(t, tinyDir+"/config.json", allLayers, `"num_hidden_layers": 2`)
	if _, _, err := passes.Compile(g, o); err != nil {
		t.Fatal(err)
	}
	return whole, cut
}

// statistics are of a few tokens of the same two layers.
func statistics(t *testing.T) *quant.Stats {
	t.Helper()
	g := fixture.Graph(t, tinyDir+"/config.json", allLayers, `"num_hidden_layers": 2`)
	observed, err := passes.ForCalibration(g, passes.Options{Scheme: fixture.Scheme(t, "w8a8")})
	if err != nil {
		t.Fatal(err)
	}
	window := make([]int32, 64)
	for i := range window {
		window[i] = int32(i * 61 % 4096)
	}
	sites, err := calibrate.Run(t.Context(), observed, checkpoint(t), [][]int32{window},
		calibrate.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	stats := &quant.Stats{GateWeight: quant.GateAfterDown, Tokens: int64(len(window))}
	for _, site := range sites {
		if err := stats.Add(site); err != nil {
			t.Fatal(err)
		}
	}
	return stats
}
