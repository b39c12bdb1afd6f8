package gate

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestReportText(t *testing.T) {
	r := &Report{Chip: "Ascend310P3", Shapes: "default", Seed: 7, Rows: []Row{
		{Kernel: "embed", Kind: "embed", Passed: true, Cases: 3, Launches: 6, Exact: 4198,
			Case: "64 tokens", Cycles: 13250, Micros: 12.26, BoundBy: "MTE2"},
		{Kernel: "head_200x96", Kind: "head", Passed: true, Cases: 2, Launches: 4, Near: 3600,
			Error: 0.000431, Bound: 0.0836, Of: "logits", Why: "96 roundings", Case: "17 rows",
			Cycles: 9000, Micros: 8.333, BoundBy: "V"},
		{Kernel: "norm", Kind: "norm", Reason: "norm:12: expected ';'"},
	}}
	const want = `KERNEL       CASES  EXACT  NEAR  ERROR    BOUND  PREDICTED  BOUND BY  RESULT
embed        3      4198   -     -        -      12.3 us    MTE2      passed
head_200x96  2      -      3600  0.00043  0.084  8.3 us     V         passed
norm         0      -      -     -        -      -          -         FAILED

norm: norm:12: expected ';'

2 of 3 kernels passed, executed for Ascend310P3 with the default shapes, seed 7
`
	var b strings.Builder
	if err := r.WriteText(&b); err != nil || b.String() != want {
		t.Errorf("error %v, text\n%swant\n%s", err, b.String(), want)
	}
	if r.Passed() {
		t.Error("a report with a row that failed passes")
	}
	data, err := json.Marshal(r.Rows[2])
	const row = `{"kernel":"norm","kind":"norm","passed":false,"reason":"norm:12: expected ';'",` +
		`"cases":0,"launches":0,"exact":0,"near":0,"error":0,"bound":0,"cycles":0,"micros":0}`
	if err != nil || string(data) != row {
		t.Errorf("error %v, %s, want %s", err, data, row)
	}
}
