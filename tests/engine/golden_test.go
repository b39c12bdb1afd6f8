package engine

import (
	"context"
	"fmt"
	"math"
	"testing"

	"moge/codegen"
	"moge/codegen/driver"
	"moge/runtime/device"
)

func TestGoldenFloatModels(t *testing.T) {
	for _, family := range []string{"tiny-moge", "families/llama", "families/mixtral", "families/pangu_pro_moe", "families/qwen3", "families/qwen3_moe"} {
		t.Run(family, func(t *testing.T) {
			dir := checkpoint(family)
			want := golden(t, dir, "golden.safetensors")
			ids := rowsOf(want["input_ids"])
			rows := int64(len(want["input_ids"].I32))
			out := compile(t, dir, driver.Settings{Limits: codegen.Limits{BatchTokens: rows, LogitsRows: rows}})
			r := load(t, open(t, out), device.Options{Threads: 2})
			if err := r.Run(context.Background(), batchOf(ids)); err != nil {
				t.Fatal(err)
			}
			logits, err := r.Floats("logits")
			if err != nil {
				t.Fatal(err)
			}
			largest := 0.0
			for i, v := range want["logits"].F32 {
				largest = max(largest, math.Abs(float64(v)-float64(logits[i])))
			}
			fmt.Println(family, largest)
		})
	}
}
