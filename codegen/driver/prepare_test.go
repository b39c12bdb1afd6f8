package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"moge/formats/models/synth"
	"moge/quant"
)

// prepareAsChild plans the compilation of a checkpoint, as a dry run does.
func prepareAsChild(dir string) error {
	begin := time.Now()
	m, err := Open(dir, false)
	if err != nil {
		return err
	}
	defer m.Close()
	s := Settings{Target: "cpu"}
	if s.Passes.Scheme, err = quant.ParseScheme("w8a8-dynamic"); err != nil {
		return err
	}
	p, err := Prepare(context.Background(), m, s)
	if err != nil {
		return err
	}
	peak, err := peakResident()
	fmt.Println(peak, time.Since(begin).Milliseconds(), p.Summary().WeightBytes)
	return err
}

// The dry run of the published 72B model: 144 GB of weights, of which it reads none.
func TestDryRunOfThePublishedModel(t *testing.T) {
	wantResidentCount(t)
	config, err := os.ReadFile("../../formats/models/testdata/pangu_published.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "published")
	if err := synth.Write(context.Background(), config, synth.Options{Sparse: true}, dir); err != nil {
		t.Fatal(err)
	}
	var peak, milliseconds, weights int64
	if _, err := fmt.Sscan(runChild(t, "prepare", dir), &peak, &milliseconds, &weights); err != nil {
		t.Fatal(err)
	}
	t.Logf("peak %.1f MiB after %d ms", float64(peak)/(1<<20), milliseconds)
	if peak >= 200<<20 {
		t.Errorf("peak resident memory is %d, want less than 200 MiB", peak)
	}
	if milliseconds >= 5000 {
		t.Errorf("it took %d ms, want less than 5 s", milliseconds)
	}
	// 71.99e9 parameters at a byte each, beside embedding and head in bf16
	if weights < 72e9 || weights > 76e9 {
		t.Errorf("%d bytes of weights, want those of a 72B model in int8", weights)
	}
}
