package passes

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"moge/ir"
	"moge/ir/dtype"
)

// verbs are what pass names begin with: each says that the pass edits.
var verbs = []string{"Fold", "Eliminate", "Remove", "Assign", "Set", "Fuse", "Group", "Cast",
	"Insert", "Quantize", "Legalize", "Block", "Partition", "Rewrite", "Sink", "Merge"}

func TestTableIsComplete(t *testing.T) {
	for _, p := range pipeline {
		if p.run == nil || p.summary == "" || p.modes == 0 {
			t.Errorf("the row of %s has holes", p.name)
		}
		if !slices.ContainsFunc(verbs, func(v string) bool {
			return strings.HasPrefix(p.name, v) && len(p.name) > len(v)
		}) {
			t.Errorf("%s is not a verb and an object", p.name)
		}
	}
	for _, p := range pipeline {
		i := slices.IndexFunc(pipeline[:], func(q pass) bool { return q.name == p.name })
		if first := pipeline[i]; first.required != p.required || first.summary != p.summary {
			t.Errorf("the rows of %s disagree", p.name)
		}
	}
}

func TestListNamesEachPassOnce(t *testing.T) {
	names := Names()
	slices.Sort(names)
	if len(slices.Compact(names)) != len(List()) || len(List()) != len(pipeline)-1 {
		t.Errorf("the list is %v", Names())
	}
}

func TestBadOptions(t *testing.T) {
	optional := "FoldConstants, EliminateCommonValues, FuseAddRMSNorm, FuseQKV, FuseRotary, " +
		"FuseGroupedGating, GroupExperts, FuseGateUp, FuseSwiGLU, CastFloatWeights, QuantizeLinears, " +
		"RewriteAllReduce, SinkAllGather, MergeCollectives"
	tests := []struct {
		opt  Options
		want string
	}{
		{Options{Off: []string{"FuseQVK"}}, `unknown pass "FuseQVK": did you mean "FuseQKV"? passes: ` +
			strings.Join(Names(), ", ")},
		{Options{Off: []string{"FuseQKV", "AssignSchemes"}},
			"pass AssignSchemes is required; passes that can be switched off: " + optional},
		{Options{KV: dtype.BF16}, "cache element type bf16 is not one of f32, f16, i8"},
		{Options{Float: dtype.I8}, "float weights cannot become i8; choose f32, f16 or bf16"},
	}
	g := build(t, panguConfig)
	for _, test := range tests {
		if _, _, err := Compile(g, test.opt); err == nil || err.Error() != test.want {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
		if _, err := ForCalibration(g, test.opt); err == nil || err.Error() != test.want {
			t.Errorf("calibration: got %v\nwant %s", err, test.want)
		}
	}
}

func TestInvalidGraphIsRefused(t *testing.T) {
	g := build(t, panguConfig)
	g.Outputs = append(g.Outputs, g.Outputs[0])
	_, _, err := Compile(g, Options{})
	want := `graph pangu_pro_moe is invalid: graph_c8: the output name "logits" is empty or taken`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestDumpAndTime: every pass that runs is seen, in order, under its place in the pipeline.
func TestDumpAndTime(t *testing.T) {
	var dumped, timed, want []string
	opt := Options{
		Off: []string{"FuseRotary"},
		Dump: func(index int, name string, g *ir.Graph) error {
			if index > 0 && pipeline[index-1].name != name {
				t.Errorf("%s has index %d", name, index)
			}
			dumped = append(dumped, name)
			return ir.Verify(g)
		},
		Time: func(name string, d time.Duration) {
			if d <= 0 {
				t.Errorf("%s took %v", name, d)
			}
			timed = append(timed, name)
		},
	}
	if _, _, err := Compile(build(t, panguConfig), opt); err != nil {
		t.Fatal(err)
	}
	for _, p := range pipeline {
		if p.modes&compiling != 0 && p.name != "FuseRotary" {
			want = append(want, p.name)
		}
	}
	if !slices.Equal(timed, want) || !slices.Equal(dumped, append([]string{Entry}, want...)) {
		t.Errorf("dumped %v\ntimed %v\nwant %v", dumped, timed, want)
	}
}

func TestDumpErrorEndsTheRun(t *testing.T) {
	full := errors.New("disk full")
	for _, at := range []string{Entry, "FuseQKV"} {
		_, _, err := Compile(build(t, panguConfig), Options{
			Dump: func(_ int, name string, _ *ir.Graph) error {
				if name == at {
					return full
				}
				return nil
			}})
		if !errors.Is(err, full) || err.Error() != "dump of "+at+": disk full" {
			t.Errorf("got %v", err)
		}
	}
}

// broken runs a pass that is not of the pipeline and returns what it panics with.
func broken(t *testing.T, opt Options, fn func(*ir.Graph) *ir.Graph) (message any) {
	t.Helper()
	defer func() { message = recover() }()
	c := &compilation{opt: opt, report: &Report{}}
	p := pass{name: "BreakGraph", run: graphOnly(fn)}
	_, err := c.step(0, &p, build(t, panguConfig))
	t.Fatalf("no panic, error %v", err)
	return nil
}

func TestPanicNamesPassAndGraph(t *testing.T) {
	got := broken(t, Options{}, func(*ir.Graph) *ir.Graph { panic("no such luck") })
	if want := "BUG: pass BreakGraph on graph pangu_pro_moe: no such luck"; got != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestVerifyFindsThePassThatBreaks(t *testing.T) {
	got := broken(t, Options{Verify: true}, func(g *ir.Graph) *ir.Graph {
		g.Outputs = append(g.Outputs, g.Outputs[0])
		return g
	})
	want := "BUG: pass BreakGraph left graph pangu_pro_moe invalid: " +
		`graph_c8: the output name "logits" is empty or taken`
	if got != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
