package codegen_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"moge/codegen"
)

func randomIntervals(r *rand.Rand) []codegen.Interval {
	list := make([]codegen.Interval, r.IntN(40))
	for i := range list {
		first := r.IntN(30)
		list[i] = codegen.Interval{First: first, Last: first + r.IntN(8), Size: r.Int64N(1000)}
		if r.IntN(5) == 0 {
			list[i].Size = 64 * r.Int64N(10)
		}
	}
	return list
}

// loads gives for each step the bytes that are live, rounded up to the alignment.
func loads(list []codegen.Interval, align int64) []int64 {
	live := make([]int64, 50)
	for _, i := range list {
		for s := i.First; s <= i.Last; s++ {
			live[s] += (i.Size + align - 1) / align * align
		}
	}
	return live
}

func TestPlanMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		align := int64(1) << r.IntN(8)
		list := randomIntervals(r)
		again := append([]codegen.Interval{}, list...)
		arena := codegen.PlanMemory(list, align)
		if got := codegen.PlanMemory(again, align); got != arena || !reflect.DeepEqual(again, list) {
			t.Fatalf("a second plan differs: %d and %d bytes", arena, got)
		}
		for i, a := range list {
			if a.Offset%align != 0 || a.Offset < 0 || a.Offset+a.Size > arena {
				t.Fatalf("interval %+v is outside the %d bytes or not aligned to %d", a, arena, align)
			}
			for _, b := range list[:i] {
				together := a.First <= b.Last && b.First <= a.Last
				if together && a.Offset < b.Offset+b.Size && b.Offset < a.Offset+a.Size {
					t.Fatalf("%+v and %+v share memory", a, b)
				}
			}
		}
		var most, sum int64
		for _, n := range loads(list, align) {
			most = max(most, n)
		}
		for _, i := range list {
			sum += (i.Size + align - 1) / align * align
		}
		if arena < most || arena > sum {
			t.Fatalf("%d bytes, where %d are live at once and %d in all", arena, most, sum)
		}
	}
}

// Buffers of one size that follow each other share one place, however many there are.
func TestPlanMemoryReusesPlaces(t *testing.T) {
	var chain []codegen.Interval
	for i := range 100 {
		chain = append(chain, codegen.Interval{First: i, Last: i + 1, Size: 100})
	}
	if got := codegen.PlanMemory(chain, 64); got != 256 {
		t.Errorf("a chain takes %d bytes, want those of two buffers: 256", got)
	}
	if got := codegen.PlanMemory(nil, 64); got != 0 {
		t.Errorf("nothing takes %d bytes", got)
	}
}
