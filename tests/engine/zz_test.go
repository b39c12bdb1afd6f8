package engine

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"moge/codegen/driver"
	"moge/passes"
	"moge/quant"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

func TestQuick(t *testing.T) {
	dir := checkpoint("tiny-moge")
	text, _ := os.ReadFile(dir + "/eval.txt")
	var base *engine.Engine
	for _, name := range []string{"none", "w8a8-dynamic", "w8a16"} {
		s, _ := quant.ParseScheme(name)
		out := compile(t, dir, driver.Settings{Passes: passes.Options{Scheme: s}})
		e, err := engine.Open(context.Background(), out, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := eval.TextWindows(e, string(text), 256)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p, err := eval.MeasurePerplexity(context.Background(), e, w, nil)
		fmt.Printf("%s %+v %v %v\n", name, p, err, time.Since(start))
		tk, _ := e.Tokenizer()
		start = time.Now()
		r, err := e.Generate(context.Background(), append([]int32{1}, tk.Encode("Once upon a time")...), engine.GenerateOptions{MaxTokens: 64})
		fmt.Printf("%q %v %v %v\n", r.Text, r.Reason, err, time.Since(start))
		if base != nil {
			c, err := eval.Compare(context.Background(), base, e, w, nil)
			fmt.Printf("%+v %v %v\n", c, *c.SameExperts, err)
		} else {
			base = e
		}
	}
}
