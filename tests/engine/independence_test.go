package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"moge/codegen"
	"moge/codegen/driver"
	"moge/formats/bundle"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
	"moge/runtime/cpu"
	"moge/runtime/device"
	"moge/runtime/kernels"
)

func scheme(t *testing.T, name string) quant.Scheme {
	t.Helper()
	s, err := quant.ParseScheme(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// alone gives the logits of each token of each sequence, run alone in steps of n tokens.
func alone(t *testing.T, b *bundle.Bundle, ids [][]int32, n, threads int) [][]float32 {
	t.Helper()
	r := load(t, b, device.Options{Threads: threads})
	all := make([][]float32, len(ids))
	for i, list := range ids {
		for at := 0; at < len(list); at += n {
			var step device.Batch
			for j, id := range list[at:min(at+n, len(list))] {
				step.Rows, step.Tokens = append(step.Rows, int32(j)), append(step.Tokens, id)
				step.Positions, step.Sequences = append(step.Positions, int32(at+j)), append(step.Sequences, 2)
			}
			all[i] = append(all[i], run(t, r, step)...)
		}
		if err := r.Truncate(2, 0); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func run(t *testing.T, r device.Runner, b device.Batch) []float32 {
	t.Helper()
	if err := r.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	logits, err := r.Floats("logits")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(logits)
}

// together runs all sequences in one ragged step, tokens in turn.
func together(t *testing.T, b *bundle.Bundle, ids [][]int32, threads int) [][]float32 {
	t.Helper()
	var step device.Batch
	for pos := 0; len(step.Tokens) == 0 || step.Positions[len(step.Positions)-1] == int32(pos-1); pos++ {
		for seq, list := range ids {
			if pos < len(list) {
				step.Rows, step.Tokens = append(step.Rows, int32(len(step.Rows))), append(step.Tokens, list[pos])
				step.Positions, step.Sequences = append(step.Positions, int32(pos)), append(step.Sequences, int32(seq))
			}
		}
	}
	logits := run(t, load(t, b, device.Options{Threads: threads}), step)
	all := make([][]float32, len(ids))
	vocab := len(logits) / len(step.Rows)
	for row, seq := range step.Sequences {
		all[seq] = append(all[seq], logits[row*vocab:(row+1)*vocab]...)
	}
	return all
}

// A row's logits are the same bits whatever stands beside it, however its sequence is cut,
// and for any number of threads.
func TestRowsAreIndependent(t *testing.T) {
	dir := checkpoint("tiny-moge")
	text := golden(t, dir, "golden.safetensors")["input_ids"].I32
	ids := [][]int32{text[:90], text[90:97], text[97:150], text[150:151]}
	for _, c := range []struct {
		scheme string
		kv     dtype.Type
	}{{"none", dtype.F32}, {"w8a8-dynamic", dtype.I8}, {"w8a16", dtype.F16}} {
		t.Run(c.scheme, func(t *testing.T) {
			b := open(t, compile(t, dir, driver.Settings{Limits: codegen.Limits{BatchTokens: 200, LogitsRows: 200},
				Passes: passes.Options{Scheme: scheme(t, c.scheme), KV: c.kv}}))
			want := alone(t, b, ids, 200, 1)
			for name, got := range map[string][][]float32{
				"one by one": alone(t, b, ids, 1, 1), "in chunks of 7": alone(t, b, ids, 7, 2),
				"3 threads": alone(t, b, ids, 200, 3), "in one step": together(t, b, ids, 1),
				"in one step, 2 threads": together(t, b, ids, 2),
			} {
				if d := firstDifference(got, want); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
		})
	}
}

func firstDifference(got, want [][]float32) string {
	for i := range want {
		for j, v := range want[i] {
			if got[i][j] != v {
				return fmt.Sprintf("sequence %d: logit %d is %v, want %v", i, j, got[i][j], v)
			}
		}
	}
	return ""
}

// Every instruction set gives the same bits.
func TestInstructionSetsAgree(t *testing.T) {
	dir := checkpoint("tiny-moge")
	ids := rowsOf(golden(t, dir, "golden.safetensors")["input_ids"])
	active := kernels.Active()
	defer kernels.Use(active)
	for _, name := range []string{"none", "w8a8-dynamic", "w8a16"} {
		l := codegen.Limits{BatchTokens: 200, LogitsRows: 200}
		s := driver.Settings{Limits: l, Passes: passes.Options{Scheme: scheme(t, name)}}
		b := open(t, compile(t, dir, s))
		want := alone(t, b, ids, 50, 1)
		for _, isa := range cpu.Available() {
			if err := kernels.Use(isa); err != nil {
				t.Fatal(err)
			}
			if d := firstDifference(alone(t, b, ids, 50, 1), want); d != "" {
				t.Errorf("%s on %v: %s", name, isa, d)
			}
		}
	}
}
