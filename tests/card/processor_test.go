package card

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"moge/formats/bundle"
	"moge/runtime/cpucard"
	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/ranks"
)

// A bundle for a card computes on the processor what it would on the card: kernel by kernel, token by
// token, on a machine without a C++ compiler.
func TestWholeModelOnTheProcessor(t *testing.T) {
	for _, c := range []struct{ target, scheme string }{
		{"300i-duo", "w8a8-dynamic"}, {"300i-duo", "w8a8"},
	} {
		t.Run(c.target+" "+c.scheme, func(t *testing.T) {
			whole(t, compiledFor(t, cpucard.Device{}, c.target, c.scheme))
		})
	}
}

// The processor and the emulated chip write the same text. Their logits differ in no more than sums of
// other order, each of which is within the bound of the interpreter's. What a bundle is for another card
// says only how that would cut the work.
func TestProcessorWritesWhatTheChipDoes(t *testing.T) {
	c := compiled(t, "300i-duo", "w8a8-dynamic")
	ids := text(t, 16)
	chip, wrote := continued(t, c.load(t, nil), ids, 32)
	c.on = cpucard.Device{}
	processor, also := continued(t, c.load(t, nil), ids, 32)
	if !slices.Equal(wrote, also) {
		t.Errorf("the chip wrote %v, the processor %v", wrote, also)
	}
	bound := 2 * c.law(t, wrote).bound
	t.Logf("logits differ by %.3g, the bound is %.3g", furthest(chip, processor), bound)
	if off := furthest(chip, processor); off > bound {
		t.Errorf("logits differ by %g, the bound is %g", off, bound)
	}
	other := compiledFor(t, cpucard.Device{}, "800i-a2", "w8a8-dynamic")
	if same, _ := continued(t, other.load(t, nil), ids, 32); !slices.Equal(same, processor) {
		t.Errorf("for another card logits differ by %g", furthest(same, processor))
	}
}

// continued lets a device write count tokens, and gives all logits and ids.
func continued(t *testing.T, r device.Runner, ids []int32, count int) ([]float32, []int32) {
	t.Helper()
	ids = slices.Clone(ids)
	logits := step(t, r, ids, 0)
	vocab := len(logits) / len(ids)
	for range count {
		token, _ := best(logits[len(logits)-vocab:])
		ids = append(ids, int32(token))
		logits = append(logits, step(t, r, ids[len(ids)-1:], len(ids)-1)...)
	}
	return logits, ids
}

// replayed lets a device take tokens that another wrote after a prompt, and gives all logits.
func replayed(t *testing.T, r device.Runner, ids []int32, prompt int) []float32 {
	t.Helper()
	logits := step(t, r, ids[:prompt], 0)
	for i := prompt; i < len(ids); i++ {
		logits = append(logits, step(t, r, ids[i:i+1], i)...)
	}
	return logits
}

// H2P on 8 ranks, all in this process: what one rank writes, wherever its choice is not in doubt, see
// TestEightChips. Sequences are of both groups of attention.
func TestEightRanksOnTheProcessor(t *testing.T) {
	const scheme = "w8a8-dynamic"
	one := compiledFor(t, cpucard.Device{}, rankTarget, scheme)
	b, g := forChips(t, scheme)
	r, err := ranks.New(cpucard.Device{}).Load(b, 0, device.Options{CacheRows: 256})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want, ids := continued(t, one.load(t, nil), text(t, 16), 32)
	law := one.law(t, ids)
	bound := 2*law.bound + apart(t, g, one.weights, ids, law.logits)
	sameChoices(t, replayed(t, r, ids, 16), want, len(ids), bound)
}

// The engine takes the processor where no device is named, for one rank and for eight.
func TestEngineOnTheProcessor(t *testing.T) {
	one := compiledFor(t, cpucard.Device{}, rankTarget, "w8a8-dynamic")
	eight, _ := forChips(t, "w8a8-dynamic")
	for _, dir := range []string{one.bundle.Dir(), eight.Dir()} {
		e, err := engine.Open(context.Background(), dir, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if e.Device() != "cpu" {
			t.Errorf("%s runs on %s", dir, e.Device())
		}
		const want = ":\nAy, my lord"
		r, err := e.Generate(context.Background(), text(t, 16)[:6], engine.GenerateOptions{MaxTokens: 7})
		if err != nil || r.Text != want {
			t.Errorf("%s: wrote %q, want %q; error %v", dir, r.Text, want, err)
		}
	}
}

// A file of weights that is cut short while it is mapped ends the step with an error that names it,
// and the cache is as before.
func TestWeightsCutShort(t *testing.T) {
	c := compiledFor(t, cpucard.Device{}, rankTarget, "w8a8-dynamic")
	for _, threads := range []int{1, 2} {
		r, err := c.on.Load(c.bundle, 0, device.Options{CacheRows: 1024, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		file := filepath.Join(c.bundle.Dir(), bundle.RankFile(0))
		if err := os.Truncate(file, 4096); err != nil {
			t.Fatal(err)
		}
		b := device.Batch{Rows: []int32{0}}
		for i, id := range text(t, 100) {
			b.Tokens, b.Positions = append(b.Tokens, id), append(b.Positions, int32(i))
			b.Sequences = append(b.Sequences, 0)
		}
		err = r.Run(context.Background(), b)
		want := file + ": the file was cut short or became unreadable while mapped; " +
			"copy the bundle again or compile it anew"
		var blamed *bundle.Error
		if !errors.As(err, &blamed) || err.Error() != want || r.Length(0) != 0 {
			t.Errorf("error %v, want %s; the cache holds %d positions", err, want, r.Length(0))
		}
	}
}
