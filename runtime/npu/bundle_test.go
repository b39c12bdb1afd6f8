package npu

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"moge/ascend/cards"
	"moge/ascend/emu"
	"moge/ascend/emucard"
	"moge/ascend/soc"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/quant"
	"moge/runtime/card"
	"moge/runtime/device"
)

// bundleFor compiles the small model for the 300I Duo and builds its kernels beside it.
func bundleFor(t *testing.T) *bundle.Bundle {
	t.Helper()
	ctx := context.Background()
	m, err := driver.Open("../../tests/testdata/tiny-moge", false)
	check(t, err)
	defer m.Close()
	s := driver.Settings{Target: "300i-duo", Planner: &cards.Planner{Product: "300i-duo"}}
	s.Passes.Scheme, err = quant.ParseScheme("w8a8-dynamic")
	check(t, err)
	s.Passes.MinExpertTokens = 1
	s.Limits.BatchTokens, s.Limits.LogitsRows, s.Limits.Seqs, s.Limits.Context = 32, 4, 2, 256
	s.Execution.Workers = 2
	cards.Settings(&s)
	out := filepath.Join(t.TempDir(), "small.moge")
	_, err = driver.Compile(ctx, durable.OS(), m, out, s)
	check(t, err)
	b, err := bundle.Open(out, bundle.OpenOptions{})
	check(t, err)
	t.Cleanup(func() { b.Close() })
	chip, err := soc.Find("300i-duo")
	check(t, err)
	var sources []emu.Source
	for _, k := range b.Manifest().Kernels {
		text, err := b.File(k.Source)
		check(t, err)
		sources = append(sources, emu.Source{Name: k.Name, Text: string(text)})
	}
	lib, err := emu.Compile(ctx, chip, sources)
	check(t, err)
	check(t, lib.WriteBinary(KernelFiles(out)[0]))
	return b
}

// generate runs a prompt and then what the model chooses; it gives tokens and all logits.
func generate(t *testing.T, r device.Runner) (tokens []int32, logits []float32) {
	t.Helper()
	next, at := []int32{1, 17, 99, 4, 250, 31, 8}, 0
	for range 8 {
		b := device.Batch{Tokens: next, Sequences: make([]int32, len(next)),
			Rows: []int32{int32(len(next) - 1)}}
		for range next {
			b.Positions = append(b.Positions, int32(at))
			at++
		}
		check(t, r.Run(context.Background(), b))
		row, err := r.Floats("logits")
		check(t, err)
		logits = append(logits, row...)
		best := slices.Index(row, slices.Max(row))
		tokens, next = append(tokens, int32(best)), []int32{int32(best)}
	}
	return tokens, logits
}

// A whole bundle runs over AscendCL as it does on the emulated chip that is driven directly: the same
// logits to the bit, so the same tokens. Its kernels are found beside it.
func TestWholeBundle(t *testing.T) {
	r := newRig(t, 1)
	if testing.Short() {
		t.Skip("SKIPPED: compiles all kernels of a model")
	}
	b := bundleFor(t)
	r.Configure(configOf(256 << 20))
	o := device.Options{CacheRows: 256}
	direct, err := emucard.Device().Load(b, 0, o)
	check(t, err)
	defer direct.Close()
	over, err := card.New("ascend", Opener(Options{Libraries: []string{r.Dir()}})).Load(b, 0, o)
	check(t, err)
	tokens, logits := generate(t, direct)
	gotTokens, gotLogits := generate(t, over)
	if !slices.Equal(gotTokens, tokens) || !slices.Equal(gotLogits, logits) {
		t.Errorf("over AscendCL %v, directly %v", gotTokens, tokens)
	}
	check(t, over.Close())
	r.clean(t)
	check(t, os.Remove(KernelFiles(b.Dir())[0]))
	_, err = card.New("ascend", Opener(Options{Libraries: []string{r.Dir()}})).Load(b, 0, o)
	if !names(err, "its kernels are not built") {
		t.Error(err)
	}
	r.clean(t)
}
