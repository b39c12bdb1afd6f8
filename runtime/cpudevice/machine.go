package cpudevice

import (
	"context"

	"moge/ir/shape"
	"moge/runtime/cpu"
	"moge/runtime/device"
	"moge/runtime/kv"
)

const (
	rowBlock  = 64      // rows that one pass over a block of tiles takes
	tileBlock = 4       // tiles of one task at most: sums of a block fit in the first cache
	minWork   = 1 << 16 // multiply-adds below which waking the workers costs more than it saves
)

// machine is what a step sees while it runs.
type machine struct {
	env    shape.Env
	batch  device.Batch // checked
	pool   *cpu.Pool
	worker []scratch
	cache  *kv.Cache
	shared []float32 // of one step, for all workers

	ctx  context.Context // of the step that runs
	comm device.Comm     // nil for one rank
	wire []byte          // what a collective sends and receives in another type
}

// scratch is memory of one worker.
type scratch struct {
	sums   []int32   // [rowBlock][tileBlock·16]
	tile   []float32 // [rowBlock][16], a last tile that is not full
	scores []float32 // [page tokens]
	tops   []float32 // [heads of a group], largest score so far
	totals []float32 // [heads of a group], sum of weights so far
	_      [64]byte  // keeps the headers of neighbours apart
}

// needs is the scratch that the bound steps ask for.
type needs struct {
	shared int64
	wire   int64 // bytes
	group  int   // query heads that share a key head
}

func (l *loader) newScratch() scratch {
	s := scratch{
		sums: make([]int32, rowBlock*tileBlock*tileRows),
		tile: make([]float32, rowBlock*tileRows),
	}
	if l.cache != nil {
		s.scores = make([]float32, l.cache.Config().PageTokens)
		s.tops, s.totals = make([]float32, l.need.group), make([]float32, l.need.group)
	}
	return s
}

// tasks calls fn once for every task. work is the cost of all together in multiply-adds.
func (m *machine) tasks(n, work int, fn func(w *scratch, task int)) error {
	if n > 1 && len(m.worker) > 1 && work >= minWork {
		return m.pool.Run(n, func(worker, task int) { fn(&m.worker[worker], task) })
	}
	for task := range n {
		fn(&m.worker[0], task)
	}
	return nil
}

// each calls fn once for every row; cost is that of one row.
func (m *machine) each(rows, cost int, fn func(row int)) error {
	chunks := min(rows, 4*len(m.worker))
	return m.tasks(chunks, rows*cost, func(_ *scratch, c int) {
		for r := c * rows / chunks; r < (c+1)*rows/chunks; r++ {
			fn(r)
		}
	})
}
