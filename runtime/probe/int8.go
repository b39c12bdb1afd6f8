package probe

import (
	"context"
	"fmt"
	"time"

	"moge/runtime/cpu"
	"moge/runtime/kernels"
)

// Int8 is how many operations on int8 the machine does, two for each multiply-add.
type Int8 struct {
	Threads int     `json:"threads"`
	Rate    float64 `json:"operations_per_second"`
}

const (
	int8Task   = time.Millisecond / 2 // how long a task takes
	int8Passes = 40                   // more show nothing new
)

// bestInt8 measures numbers of threads in turn until the time is over, but one in any case.
func bestInt8(ctx context.Context, threads []int, limit time.Duration) (best Int8, err error) {
	end := time.Now().Add(limit)
	rounds := int8Rounds()
	for i := 0; i == 0 || i < int8Passes*len(threads) && time.Now().Before(end); i++ {
		if err := ctx.Err(); err != nil {
			return best, err
		}
		n := threads[i%len(threads)]
		rate, err := multiplyOnce(n, rounds)
		if err != nil {
			return best, err
		}
		if rate > best.Rate {
			best = Int8{n, rate}
		}
	}
	return best, nil
}

// int8Rounds is how many rounds a task has.
func int8Rounds() int {
	for rounds := 64; ; rounds *= 2 {
		start := time.Now()
		multiply(rounds)
		if time.Since(start) >= int8Task {
			return rounds
		}
	}
}

func multiply(rounds int) {
	want := uint32(rounds * kernels.OnesPerRound())
	if got := kernels.MultiplyOnes(rounds); got != want {
		panic(fmt.Sprintf("BUG: %d multiply-adds of ones give %d", want, got))
	}
}

func multiplyOnce(threads, rounds int) (float64, error) {
	p := cpu.NewPool(threads)
	defer p.Close()
	seconds, err := timed(p, func(int) { multiply(rounds) })
	return 2 * float64(share*threads*rounds*kernels.OnesPerRound()) / seconds, err
}
