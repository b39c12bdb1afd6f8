package cpucard

// minWork is the multiply-adds below which waking the workers costs more than it saves.
const minWork = 1 << 16

// scratch is memory of one worker. Its slices grow to what kernels need.
type scratch struct {
	weights []byte    // tiles of weights
	sums    []int32   // of rows of these
	acc     []int32   // integer results of a block
	wide    []float32 // results in f32, or a row of activations
	more    []float32
	attend  attendScratch
	_       [64]byte // keeps neighbours apart
}

// shared is memory of one launch, for all workers.
type shared struct {
	q      []int8 // quantized rows
	scale  []float32
	wide   []float32
	halves []uint16
	tiles  []uint16
}

// grown is the slice at n elements, of any content.
func grown[E any](s *[]E, n int) []E {
	if cap(*s) < n {
		*s = make([]E, n)
	}
	*s = (*s)[:n]
	return *s
}

// tasks calls fn once for every task. work is the cost of all together in multiply-adds.
func (c *call) tasks(n, work int, fn func(w *scratch, task int)) error {
	if n > 1 && len(c.workers) > 1 && work >= c.least {
		return c.pool.Run(n, func(worker, task int) {
			if c.ctx.Err() == nil {
				fn(c.workers[worker], task)
			}
		})
	}
	for task := range n {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		fn(c.workers[0], task)
	}
	return nil
}

// each calls fn once for every row; cost is that of one row.
func (c *call) each(rows, cost int, fn func(w *scratch, row int)) error {
	chunks := min(rows, 4*len(c.workers))
	return c.tasks(chunks, rows*cost, func(w *scratch, i int) {
		for r := i * rows / chunks; r < (i+1)*rows/chunks; r++ {
			fn(w, r)
		}
	})
}
