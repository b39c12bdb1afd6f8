package cost

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"moge/ir/placement"
)

// TestLargestIsTheLast tries every number.
func TestLargestIsTheLast(t *testing.T) {
	for limit := range int64(40) {
		for last := range int64(45) {
			want := min(last, limit)
			if got := largest(limit, func(n int64) bool { return n <= last }); got != want {
				t.Errorf("of 1 to %d, %d is good: got %d", limit, last, got)
			}
		}
	}
}

func TestLargestBatchAndContextAreAtTheLimit(t *testing.T) {
	m, model, p := machine(t, "300i-duo"), PanguProMoE(), Plan{placement.H2P(8), Scattered, Compiled}
	seconds := func(batch, context int64) float64 {
		return m.Seconds(p.Ops(nil, model, Decode(batch, context)), p.Style)
	}
	const limit = 0.08
	batch := m.LargestBatch(model, p, 2048, limit)
	if batch < 2 || seconds(batch, 2048) > limit || seconds(batch+1, 2048) <= limit {
		t.Errorf("batch %d takes %g s, one more %g", batch, seconds(batch, 2048), seconds(batch+1, 2048))
	}
	long := m.LargestContext(model, p, batch, limit)
	if long < 2048 || seconds(batch, long) > limit || seconds(batch, long+1) <= limit {
		t.Errorf("context %d takes %g s, one more %g", long, seconds(batch, long), seconds(batch, long+1))
	}
	full := m.LargestBatch(model, p, 2048, 1000) // by memory
	if !m.Memory(model, p.Placement, Decode(full, 2048)).Fits() ||
		m.Memory(model, p.Placement, Decode(full+1, 2048)).Fits() {
		t.Errorf("%d sequences fit", full)
	}
	if m.LargestBatch(model, Plan{placement.Single(), Scattered, Compiled}, 2048, 1000) != 0 {
		t.Error("the model fits on one chip")
	}
}

func smallSpace() Space {
	s := PaperSpace(70e9, 74e9)
	s.Hidden, s.Layers, s.Heads = []int64{4608, 5120}, []int64{40, 48}, []int64{40}
	return s
}

func TestSpaceHoldsItsModels(t *testing.T) {
	list := PaperSpace(60e9, 80e9).Models()
	has := func(want *Model) bool {
		return slices.ContainsFunc(list, func(m *Model) bool {
			x := *m
			x.Name = want.Name
			return x == *want
		})
	}
	if !has(PanguProMoE()) {
		t.Error("the paper's model is not in its space")
	}
	if n := len(list); n < 10_000 {
		t.Errorf("%d models", n)
	}
	for _, m := range list {
		if total, active := m.Parameters(); total < 60e9 || total > 80e9 || active >= total {
			t.Fatalf("%+v has %d parameters, %d active", m, total, active)
		}
	}
	// Table 1: 71.99 and 16.50 billion; its arithmetic has norms and biases too.
	if total, active := PanguProMoE().Parameters(); total != 71_987_691_520 || active != 16_497_049_600 {
		t.Errorf("%d parameters, %d active", total, active)
	}
}

// TestSearchFindsWhatTryingAllFinds does without what a search skips.
func TestSearchFindsWhatTryingAllFinds(t *testing.T) {
	models, machines := smallSpace().Models(), []*Machine{machine(t, "300i-duo"), machine(t, "800i-a2")}
	var heard []int
	list, err := Search(t.Context(), models, machines, 2048, Compiled, func(done, total int) {
		heard = append(heard, done, total)
	})
	if err != nil || len(list) != len(models) || len(models) < 20 {
		t.Fatalf("%d of %d models, %v", len(list), len(models), err)
	}
	if len(heard) < 2 || !slices.Contains(heard, len(models)) {
		t.Errorf("progress was %v", heard)
	}
	for i := range list {
		for j, m := range machines {
			best := 0.0
			for _, p := range m.Placements(models[i], m.Chips, searchPadding) {
				plan := Plan{p, Scattered, Compiled}
				batch := m.LargestBatch(models[i], plan, 2048, m.Limit)
				if batch > 0 {
					t := m.Seconds(plan.Ops(nil, models[i], Decode(batch, 2048)), Compiled)
					best = max(best, float64(batch)/t/float64(m.Chips))
				}
			}
			if got := list[i].Results[j].PerChip; !near(got, best) && (got > best || got < best*0.995) {
				t.Errorf("%+v on %s: %g, want %g", *models[i], m.Name, got, best)
			}
		}
	}
	checkRanks(t, list)
}

func checkRanks(t *testing.T, list []Candidate) {
	t.Helper()
	sorted := Sorted(list, 0)
	for i := range sorted {
		rate := sorted[i].Results[0].PerChip
		if rank := Rank(list, 0, rate); sorted[rank-1].Results[0].PerChip != rate || rank > i+1 {
			t.Errorf("number %d has rank %d", i+1, rank)
		}
	}
}

func TestSearchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Search(ctx, smallSpace().Models(), []*Machine{machine(t, "300i-duo")}, 2048, Compiled,
		func(int, int) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPlotIsXMLWithEveryCandidate(t *testing.T) {
	machines := []*Machine{machine(t, "300i-duo"), machine(t, "800i-a2")}
	list, err := Search(t.Context(), smallSpace().Models(), machines, 2048, Compiled, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	reference := Evaluate(PanguProMoE(), machines, 2048, Compiled)
	for n := 1; n <= 2; n++ {
		var out bytes.Buffer
		if err := Plot(&out, list, reference, machines[:n]); err != nil {
			t.Fatal(err)
		}
		if points := strings.Count(out.String(), "h0"); points != len(list) {
			t.Errorf("%d points of %d candidates", points, len(list))
		}
		for d := xml.NewDecoder(&out); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		limit float64
		want  int
	}{{1, 6}, {2.1, 5}, {83, 5}, {140, 3}} {
		if got := ticks(c.limit); len(got) != c.want || got[0] != 0 || got[len(got)-1] > c.limit {
			t.Errorf("up to %g: %v", c.limit, got)
		}
	}
}

// TestTraceIsTheStep adds up the events of the step, which follow each other.
func TestTraceIsTheStep(t *testing.T) {
	m, model := machine(t, "300i-duo"), PanguProMoE()
	e := m.Estimate(model.Ops(nil, placement.H2P(8), Decode(80, 2048), Scattered), Compiled)
	var out bytes.Buffer
	if err := e.WriteTrace(&out); err != nil {
		t.Fatal(err)
	}
	var trace struct{ TraceEvents []event }
	if err := json.Unmarshal(out.Bytes(), &trace); err != nil {
		t.Fatal(err)
	}
	now, gathers := 0.0, 0
	var last string
	for _, x := range trace.TraceEvents {
		if x.Phase != "X" || x.TID != stepThread {
			continue
		}
		if !near(x.Start+1, now+1) {
			t.Fatalf("%s starts at %g, not %g", x.Name, x.Start, now)
		}
		now, last = now+x.Dur, x.Name
		if strings.HasPrefix(x.Name, "all gather layers.") {
			gathers++
		}
	}
	if !near(now, e.Seconds*1e6) || gathers != 2*48+1 || last != "product lm_head" {
		t.Errorf("%g us of %g, %d gathers, last %s", now, e.Seconds*1e6, gathers, last)
	}
}
