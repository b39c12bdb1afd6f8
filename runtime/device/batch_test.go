package device

import "testing"

// A group's part of a step may have fewer tokens than the step's T, or none, and wants rows of all groups.
func TestCheckOfAGroupsPart(t *testing.T) {
	limits := Limits{BatchTokens: 4, Seqs: 2, Context: 9, LogitsRows: 3}
	three := []int32{0, 0, 0}
	for _, c := range []struct {
		batch Batch
		want  string
	}{
		{Batch{Pad: 4, World: 8, Rows: []int32{0, 5, 7}}, ""},
		{Batch{Tokens: three, Positions: []int32{0, 1, 2}, Sequences: three, Pad: 3, World: 8}, ""},
		{Batch{Tokens: three, Positions: []int32{0, 1, 2}, Sequences: three, Pad: 2, World: 8},
			"3 tokens in a step of 2"},
		{Batch{Pad: 5, World: 10}, "a step of 5 tokens, at most 4 are allowed"},
		{Batch{Pad: -1}, "a step of no tokens"},
		{Batch{Pad: 4, World: 8, Rows: []int32{8}}, "row 0 is 8: rows ascend and are below 8"},
		{Batch{Pad: 4, World: 8, Rows: []int32{3, 3}}, "row 1 is 3: rows ascend and are below 8"},
		{Batch{Pad: 4, Rows: []int32{0}}, "row 0 is 0: rows ascend and are below 0"},
	} {
		err := c.batch.Check(limits, 10, func(int) int { return 0 })
		if got := text(err); got != c.want {
			t.Errorf("%+v: %q, want %q", c.batch, got, c.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
