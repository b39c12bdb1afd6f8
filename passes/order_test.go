package passes

import (
	"fmt"
	"slices"
	"testing"
)

func TestPipelineKeepsItsOrder(t *testing.T) {
	if err := checkOrder(pipeline[:], constraints); err != nil {
		t.Error(err)
	}
}

// TestEachConstraintIsChecked moves the second pass of each constraint to the front, by
// which that constraint, alone, is broken.
func TestEachConstraintIsChecked(t *testing.T) {
	for _, c := range constraints {
		rows := slices.Clone(pipeline[:])
		moved := slices.Collect(func(yield func(pass) bool) {
			for _, p := range rows {
				if p.name == c.after && !yield(p) {
					return
				}
			}
		})
		rows = slices.DeleteFunc(rows, func(p pass) bool { return p.name == c.after })
		err := checkOrder(append(moved, rows...), []constraint{c})
		want := fmt.Sprintf("pass %s must come before %s: %s", c.before, c.after, c.reason)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestConstraintsHaveReasonsAndPasses(t *testing.T) {
	for _, c := range constraints {
		if c.reason == "" {
			t.Errorf("%s before %s has no reason", c.before, c.after)
		}
	}
	err := checkOrder(pipeline[:], []constraint{{"FuseQKV", "FuseEverything", "why"}})
	want := "the order of FuseQKV and FuseEverything concerns a pass that is not in the pipeline"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
