package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
	"moge/codegen"
	"moge/codegen/driver"
	"moge/codegen/weights"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
	"moge/formats/models"
	"moge/quant"
)

func TestCodesOfTheCompilersErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{&driver.UsageError{}, exit.Usage},
		{&codegen.MemoryError{}, exit.Resources},
		{&driver.MismatchError{}, exit.Gate},
		{&driver.InputError{}, exit.Input},
		{&driver.OutputError{Err: errors.New("x")}, exit.Input},
		{&driver.OutputError{Err: diskFull()}, exit.Resources},
		{&models.Error{}, exit.Input},
		{&weights.NonFiniteError{}, exit.Input},
		{&quant.NonFiniteError{}, exit.Input},
		{errors.New("unknown"), exit.Failed},
		{inputError(errors.New("unknown")), exit.Input},
		{inputError(fmt.Errorf("x: %w", &driver.UsageError{})), exit.Usage},
		{inputError(nil), exit.OK},
	} {
		if got := exit.Code(c.err, rows...); got != c.want {
			t.Errorf("%T %v: code %d, want %d", c.err, c.err, got, c.want)
		}
	}
}

func TestResumeCommandIsWhatAShellTakes(t *testing.T) {
	got := resumeCommand([]string{"/usr/bin/moge", "compile", "a b", "--resume", "-o", "it's.moge", "",
		"--override=x.*=none"})
	if want := `moge compile 'a b' -o 'it'\''s.moge' '' '--override=x.*=none' --resume`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMeanAndDeviation(t *testing.T) {
	for _, c := range []struct {
		x               []float64
		mean, deviation float64
	}{{[]float64{3}, 3, 0}, {[]float64{1, 2, 3, 4}, 2.5, math.Sqrt(5.0 / 3)}} {
		mean, deviation := meanAndDeviation(c.x)
		if math.Abs(mean-c.mean) > 1e-15 || math.Abs(deviation-c.deviation) > 1e-15 {
			t.Errorf("%v: %v ± %v, want %v ± %v", c.x, mean, deviation, c.mean, c.deviation)
		}
	}
}

func TestTokenWeightsCountTheShareOfAToken(t *testing.T) {
	section := func(i uint32) *bundlepb.Operand {
		return &bundlepb.Operand{Kind: &bundlepb.Operand_Section{Section: i}}
	}
	buffer := &bundlepb.Operand{Kind: &bundlepb.Operand_Buffer{Buffer: 1}}
	m := &bundlepb.Manifest{
		Model: &bundlepb.Model{Experts: 8, ExpertsPerToken: 2},
		Ranks: []*bundlepb.Rank{{Sections: []*bundlepb.Section{
			{Size: 1000, Shape: []int64{10, 25}}, {Size: 800, Shape: []int64{8, 5, 5}}, {Size: 7}}}},
		Programs: []*bundlepb.Program{{Name: "draft"}, {Name: bundle.StepProgram, Steps: []*bundlepb.Step{
			{Op: bundlepb.OpCode_EMBED, Args: []*bundlepb.Operand{buffer, section(0)}},
			{Op: bundlepb.OpCode_QGROUPED_LINEAR, Args: []*bundlepb.Operand{buffer, section(1)}},
			{Op: bundlepb.OpCode_LINEAR, Args: []*bundlepb.Operand{buffer, section(2)}},
		}}},
	}
	want := int64(100 + 200 + 7)
	if got := tokenWeights(m); got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
	for i, site := range []string{"embed", "layers.3.mlp.experts.down", "layers.3.self_attn.o"} {
		m.Programs[1].Steps[i].Op, m.Programs[1].Steps[i].Site = bundlepb.OpCode_LAUNCH, site
	}
	if got := tokenWeights(m); got != want {
		t.Errorf("of launches: got %d bytes, want %d", got, want)
	}
}

func TestInterruptedSynthLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	app := &cli.App{FS: durable.OS(), Term: term.New(&out), Out: cli.NewOutput(&out)}
	dir := t.TempDir()
	f := synthFlags{config: "../../tests/testdata/tiny-moge/config.json"}
	f.out = filepath.Join(dir, "random")
	err := f.run(ctx, app)
	if got := exit.Code(err, rows...); got != exit.Interrupted ||
		err.Error() != "interrupted, nothing was written" {
		t.Errorf("code %d, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
