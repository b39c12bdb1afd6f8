package engine

import (
	"context"
	"os"
	"testing"

	"moge/codegen/driver"
	"moge/passes"
	"moge/quant"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

func TestProf(t *testing.T) {
	dir := checkpoint("tiny-moge")
	text, _ := os.ReadFile(dir + "/eval.txt")
	s, _ := quant.ParseScheme("w8a8-dynamic")
	out := compile(t, dir, driver.Settings{Passes: passes.Options{Scheme: s}})
	e, err := engine.Open(context.Background(), out, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := eval.TextWindows(e, string(text), 256)
	eval.MeasurePerplexity(context.Background(), e, w[:60], nil)
}
