package ranks_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"moge/formats/bundle"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/ranks"
)

func open(t *testing.T, dir string, opt engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// An engine runs all ranks of a bundle on the CPU without being told, and gives the tokens and logits
// that one rank gives: over several sequences, in steps smaller than the prompt, and when sequences end.
func TestEngineRunsAllRanks(t *testing.T) {
	one := open(t, ranks.ModelDir(t, 1, 1, 1), engine.Options{})
	for _, opt := range []engine.Options{{}, {Device: cpudevice.Device{}},
		{Device: ranks.New(cpudevice.Device{})},
		{Load: device.Options{Threads: 4, Context: 40, CacheRows: 600}, FullCheck: true}} {
		all := open(t, ranks.ModelDir(t, 2, 2, 4), opt)
		if all.Device() != "cpu" || all.Limits() != one.Limits() {
			t.Errorf("device %s, limits %+v", all.Device(), all.Limits())
		}
		for length := range 15 {
			prompt := make([]int32, length+1)
			for i := range prompt {
				prompt[i] = int32((i*11 + length) % 30)
			}
			want, err := one.Generate(t.Context(), prompt, engine.GenerateOptions{MaxTokens: 8})
			if err != nil {
				t.Fatal(err)
			}
			got, err := all.Generate(t.Context(), prompt, engine.GenerateOptions{MaxTokens: 8})
			if err != nil || !slices.Equal(got.Tokens, want.Tokens) || got.Reason != want.Reason {
				t.Errorf("prompt of %d: %v, %v, want %v", len(prompt), got, err, want)
			}
		}
		stepTogether(t, one, all)
	}
}

// stepTogether feeds all sequences of both engines at once, in turn backwards.
func stepTogether(t *testing.T, one, all *engine.Engine) {
	t.Helper()
	var logits [2][][]float32
	for i, e := range []*engine.Engine{one, all} {
		var inputs []engine.Input
		for q := range 5 {
			s, err := e.NewSequence()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Free()
			inputs = append(
				inputs,
				engine.Input{Sequence: s, Tokens: []int32{int32(q), 7}[:1+q%2], Logits: q != 2},
			)
		}
		slices.Reverse(inputs)
		var err error
		if logits[i], err = e.Step(t.Context(), inputs); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.EqualFunc(logits[0], logits[1], slices.Equal) || logits[1][2] != nil ||
		logits[1][0] == nil {
		t.Errorf("logits %v\nwant %v", logits[1], logits[0])
	}
}

// Without the file of a rank there is no engine.
func TestEngineMissesARank(t *testing.T) {
	dir := ranks.ModelDir(t, 1, 2, 1)
	missing := filepath.Join(dir, bundle.RankFile(1))
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	_, err := engine.Open(t.Context(), dir, engine.Options{})
	want := missing + ": file is missing, the weights of one of 2 ranks; copy it from " +
		"where the bundle was compiled: to run on one machine it needs those of every rank"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}
