package codegen_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"moge/codegen"
	"moge/codegen/cpu"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/passes"
	"moge/quant"
)

const testdata = "../tests/testdata"

func modelDirs(t testing.TB) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(testdata, "families", "*"))
	if err != nil || len(dirs) < 5 {
		t.Fatalf("families %v, %v", dirs, err)
	}
	return append(dirs, filepath.Join(testdata, "tiny-moge"))
}

func familyGraph(t testing.TB, dir string) *ir.Graph {
	t.Helper()
	cfg, err := hf.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	g, _, err := models.Build(cfg, models.FromCheckpoint(c))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// inventedStats are ranges for every site that calibration would measure.
func inventedStats(t testing.TB, g *ir.Graph, opt passes.Options) *quant.Stats {
	t.Helper()
	observed, err := passes.ForCalibration(g, opt)
	if err != nil {
		t.Fatal(err)
	}
	gate, _ := g.GetMeta("gate_weight")
	stats := &quant.Stats{GateWeight: quant.GateWeight(gate), Tokens: 8}
	for _, n := range observed.Nodes {
		if n.Op != ir.OpObserve {
			continue
		}
		site := quant.Site{Range: quant.Range{AMax: 2, Tokens: 8}}
		if len(n.Args) == 2 {
			experts := n.Args[1].Type.Shape[0].Coef - 1
			site.Range = quant.Range{AMax: 3, Tokens: 8 * experts}
			for range experts {
				site.Experts = append(site.Experts, quant.Range{AMax: 3, Tokens: 8})
			}
		}
		for _, member := range ir.SiteMembers(n.Site) {
			site.Name = member
			if err := stats.Add(site); err != nil {
				t.Fatal(err)
			}
		}
	}
	return stats
}

func scheme(t testing.TB, name string) quant.Scheme {
	t.Helper()
	s, err := quant.ParseScheme(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// offs are the sets of passes that a test leaves out.
func offs() [][]string {
	var sets [][]string
	var all []string
	for _, p := range passes.List() {
		if !p.Required && p.Name != "QuantizeLinears" {
			sets, all = append(sets, []string{p.Name}), append(all, p.Name)
		}
	}
	return append(sets, nil, all)
}

func TestFrozenGraphsGiveTheSamePlan(t *testing.T) {
	limits := codegen.Limits{BatchTokens: 8, Seqs: 2, Context: 32, LogitsRows: 4}
	for _, dir := range modelDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := familyGraph(t, dir)
			for _, s := range quant.Schemes() {
				for i, off := range offs() {
					opt := passes.Options{Scheme: s, KV: dtype.F16, Off: off}
					if i%2 == 1 {
						opt.Head, opt.Float = scheme(t, "w8a16"), dtype.F16
					}
					if s.NeedsStats() {
						opt.Stats = inventedStats(t, g, opt)
					}
					compiled, _, err := passes.Compile(g, opt)
					if err != nil {
						t.Fatal(err)
					}
					checkFrozen(t, fmt.Sprintf("%s without %v", s.Name, off), compiled, limits)
				}
			}
		})
	}
}

func checkFrozen(t *testing.T, what string, g *ir.Graph, limits codegen.Limits) {
	t.Helper()
	frozen, list, err := codegen.Freeze(g)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	want, err := cpu.Build(g, limits)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got, err := cpu.Build(frozen, limits)
	if err != nil {
		t.Fatalf("%s, frozen: %v", what, err)
	}
	if !proto.Equal(got.Manifest, want.Manifest) {
		t.Errorf("%s: the plan of the frozen graph differs", what)
	}
	if len(got.Units) != len(want.Units) {
		t.Fatalf("%s: %d units of work, frozen %d", what, len(want.Units), len(got.Units))
	}
	for i := range got.Units {
		a, b := got.Units[i], want.Units[i]
		if !reflect.DeepEqual(a.Extents, b.Extents) || a.Lo != b.Lo || a.Hi != b.Hi {
			t.Errorf("%s: unit %d differs", what, i)
		}
	}
	checkNames(t, what, frozen, list)
	if again, second, err := codegen.Freeze(g); err != nil || !reflect.DeepEqual(second, list) ||
		text(t, again) != text(t, frozen) {
		t.Errorf("%s: freezing again gives another graph, %v", what, err)
	}
	refrozen, twice, err := codegen.Freeze(frozen)
	if err != nil || text(t, refrozen) != text(t, frozen) || len(twice) != len(list) {
		t.Errorf("%s: freezing the frozen graph changes it, %v", what, err)
	}
}

// checkNames wants the weights of the frozen graph to be the list, each name once and begun
// by the site of its first reader, and nothing else to be constant.
func checkNames(t *testing.T, what string, g *ir.Graph, list []codegen.Frozen) {
	t.Helper()
	seen := map[string]bool{}
	for i, f := range list {
		if seen[f.Name] {
			t.Errorf("%s: two constants are named %s", what, f.Name)
		}
		seen[f.Name] = true
		if strings.HasPrefix(f.Name, ".") || strings.Contains(f.Name, "constant") {
			t.Errorf("%s: constant %d is named %s", what, i, f.Name)
		}
	}
	weights := 0
	for _, constant := range g.Constants() {
		if constant {
			weights++
		}
	}
	if weights != len(list) {
		t.Errorf("%s: %d constants in the frozen graph, %d in the list", what, weights, len(list))
	}
	i := 0
	for _, n := range g.Nodes {
		if n.Op == ir.OpWeight {
			if n.Str("name") != list[i].Name || !n.Result().Type.Equal(list[i].Value.Type) {
				t.Errorf("%s: weight %d is %s, the list says %s", what, i, ir.Format(n), list[i].Name)
			}
			i++
		}
	}
}

func text(t testing.TB, g *ir.Graph) string {
	t.Helper()
	var out bytes.Buffer
	if err := ir.Print(&out, g); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFreezeNamesWhatHasNoName(t *testing.T) {
	b := ir.NewBuilder("names")
	x := b.Input("x", ir.Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), 2)))
	one, two := b.Weight("one", dtype.F32, 1, 2), b.Weight("two", dtype.F32, 1, 2)
	w := b.Weight("w", dtype.F32, 2, 2)
	y := b.Op1(ir.OpAdd, "s", b.Op1(ir.OpMul, "s", x, one), two)
	y = b.Op1(ir.OpLinear, "s", b.Op1(ir.OpLinear, "s", y, w), w)
	b.Output("y", b.Op1(ir.OpLinear, "s", y, b.Op1(ir.OpStack, "", b.Weight("row", dtype.F32, 2))))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, list, err := codegen.Freeze(g)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "s.constant s.constant.2 s.weight s.weight.2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFreezeRefusesAConstantOutput(t *testing.T) {
	b := ir.NewBuilder("constant")
	b.Output("y", b.Weight("w", dtype.F32, 2))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = codegen.Freeze(g)
	if want := `graph_c7: output "y" is not defined`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
