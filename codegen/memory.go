package codegen

import "sort"

// Interval is a buffer that is live from step First to step Last, both included.
type Interval struct {
	First, Last int
	Size        int64
	Offset      int64 // filled by PlanMemory
}

// PlanMemory assigns offsets, multiples of align, so that intervals live at the same time
// never overlap, and returns the size of the arena. Larger buffers choose first, each the
// lowest gap that fits; equal sizes keep their order, so the plan depends on nothing else.
func PlanMemory(intervals []Interval, align int64) int64 {
	order := make([]int, len(intervals))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return intervals[order[a]].Size > intervals[order[b]].Size })
	var placed []int // by offset
	var arena int64
	for _, i := range order {
		offset := lowestGap(intervals, placed, i, align)
		intervals[i].Offset = offset
		at := sort.Search(len(placed), func(p int) bool { return intervals[placed[p]].Offset >= offset })
		placed = append(placed, 0)
		copy(placed[at+1:], placed[at:])
		placed[at] = i
		arena = max(arena, offset+roundUp(intervals[i].Size, align))
	}
	return arena
}

func lowestGap(intervals []Interval, placed []int, i int, align int64) int64 {
	var offset int64
	for _, p := range placed {
		other := &intervals[p]
		if other.Last < intervals[i].First || intervals[i].Last < other.First {
			continue
		}
		if offset+roundUp(intervals[i].Size, align) <= other.Offset {
			break
		}
		offset = max(offset, other.Offset+roundUp(other.Size, align))
	}
	return offset
}

func roundUp(n, align int64) int64 { return (n + align - 1) / align * align }
