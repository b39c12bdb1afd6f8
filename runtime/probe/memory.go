package probe

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"moge/runtime/cpu"
	"moge/runtime/kernels"
)

// Reading is a way to read memory.
type Reading struct {
	Threads int  `json:"threads"`
	Streams int  `json:"streams"`        // parts that a thread reads side by side
	Ahead   int  `json:"prefetch_bytes"` // how far before a line is read it is asked for; 0 is not
	Huge    bool `json:"huge_pages"`     // whether they were asked for
}

// Memory is how fast memory can be read.
type Memory struct {
	Reading
	Rate float64 `json:"bytes_per_second"`
}

// Parts of the memory have an odd number of pages, and streams an odd number of these lengths:
// they do not meet in the same sets of a cache.
const (
	page       = 4096
	minRegion  = 64 << 20
	maxRegion  = 256 << 20
	cacheTimes = 8 // the memory is as many times the largest cache
)

// regionBytes is more than all caches hold, also where the machine does not tell.
func regionBytes() int {
	return min(max(cacheTimes*cpu.Caches().L3, minRegion), maxRegion)
}

// searchMemory looks for the best way with pages of one kind.
func searchMemory(ctx context.Context, huge bool, limit time.Duration) (Memory, error) {
	var ways []Reading
	for _, threads := range threadCounts() {
		for _, ahead := range []int{0, 4096} {
			for _, streams := range []int{1, 2, 4, 8} {
				ways = append(ways, Reading{threads, streams, ahead, huge})
			}
		}
	}
	return bestMemory(ctx, ways, limit)
}

// bestMemory measures ways that take pages of one kind in turn until the time is over, but one in any
// case. The taking of memory counts.
func bestMemory(ctx context.Context, ways []Reading, limit time.Duration) (best Memory, err error) {
	end := time.Now().Add(limit)
	data, free, err := takePages(regionBytes(), ways[0].Huge)
	if err != nil {
		return best, err
	}
	defer free()
	pools := newPools(ways)
	defer pools.close()
	for i := 0; i == 0 || time.Now().Before(end); i++ {
		if err := ctx.Err(); err != nil {
			return best, err
		}
		w := ways[i%len(ways)]
		rate, err := readOnce(pools[w.Threads], data, w)
		if err != nil {
			return best, err
		}
		if rate > best.Rate {
			best = Memory{w, rate}
		}
	}
	return best, nil
}

// pools are by the number of workers.
type pools map[int]*cpu.Pool

func newPools(ways []Reading) pools {
	p := pools{}
	for _, w := range ways {
		if p[w.Threads] == nil {
			p[w.Threads] = cpu.NewPool(w.Threads)
		}
	}
	return p
}

func (p pools) close() {
	for _, pool := range p {
		pool.Close()
	}
}

// sink keeps what was read from being left out as useless.
var sink atomic.Uint32

// readOnce reads all of data and gives bytes a second.
func readOnce(p *cpu.Pool, data []byte, w Reading) (float64, error) {
	pages := len(data) / page / (share * w.Threads)
	part := (pages - 1 + pages%2) * page
	seconds, err := timed(p, func(task int) {
		sink.Add(kernels.XorStreams(data[task*part:(task+1)*part], w.Streams, w.Ahead))
	})
	return float64(share*w.Threads*part) / seconds, err
}

// touch gives every page memory of its own.
func touch(data []byte) {
	n := runtime.GOMAXPROCS(0)
	part := (len(data)/n + page) / page * page
	p := cpu.NewPool(n)
	defer p.Close()
	parts := slices.Collect(slices.Chunk(data, part))
	err := p.Run(len(parts), func(_, task int) {
		for i := 0; i < len(parts[task]); i += page {
			parts[task][i] = 1
		}
	})
	if err != nil {
		panic("BUG: " + err.Error())
	}
}
