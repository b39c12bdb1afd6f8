package probe

import (
	"context"
	"runtime"
	"slices"
	"time"

	"moge/runtime/cpu"
	"moge/runtime/kernels"
)

// Result is what a machine does at most, at the instruction set level in use.
type Result struct {
	ISA    string `json:"isa"`
	Memory Memory `json:"memory"`
	// Plain is without huge pages, as files are mapped.
	Plain Memory `json:"memory_plain_pages"`
	Int8  Int8   `json:"int8"`
}

// DefaultLimit keeps each search below two seconds, even where others use the machine.
const DefaultLimit = time.Second

// Run looks for the fastest ways to read memory and to multiply, for either about as long as limit;
// 0 is DefaultLimit.
func Run(ctx context.Context, limit time.Duration) (Result, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	r := Result{ISA: kernels.Active().String()}
	var err error
	if r.Memory, err = searchMemory(ctx, true, limit*5/8); err != nil {
		return r, err
	}
	if r.Plain, err = searchMemory(ctx, false, limit*3/8); err != nil {
		return r, err
	}
	if r.Plain.Rate > r.Memory.Rate {
		r.Memory = r.Plain
	}
	r.Int8, err = bestInt8(ctx, threadCounts(), limit)
	return r, err
}

// Again measures in the ways that were the best ones of an earlier result, each for about limit, so
// that two results can be compared.
func Again(ctx context.Context, r Result, limit time.Duration) (Result, error) {
	var err error
	if r.Memory, err = bestMemory(ctx, []Reading{r.Memory.Reading}, limit); err != nil {
		return r, err
	}
	r.Int8, err = bestInt8(ctx, []int{r.Int8.Threads}, limit)
	return r, err
}

// threadCounts are the numbers of threads tried: all processors, half of them and one.
func threadCounts() []int {
	n := runtime.GOMAXPROCS(0)
	counts := []int{n, max(1, n/2), 1}
	return slices.Compact(counts)
}

// share divides work into tasks of a pool so that workers that are late cost little.
const share = 8

// timed is how long the tasks take, in seconds.
func timed(p *cpu.Pool, fn func(task int)) (float64, error) {
	start := time.Now()
	err := p.Run(share*p.Workers(), func(_, task int) { fn(task) })
	return time.Since(start).Seconds(), err
}
