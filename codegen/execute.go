package codegen

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"moge/codegen/weights"
	"moge/formats/bundle"
)

// Execution says how sections are evaluated; none of it changes the bytes.
type Execution struct {
	Workers   int
	MaxMemory int64                         // bytes of resident memory; 0 is no bound
	Progress  func(done, total int64)       // bytes of sections; may be nil
	Evaluated func(section string, n int64) // bytes computed, for tests; may be nil
}

// What the process needs beside the buffers of the workers: the program itself and the
// runtime's own structures, and for each node the graph it came through, its operands, its
// sections and units. Measured with some room: a graph of 13,000 nodes stays below.
const (
	residentBase = 36 << 20
	residentNode = 2 << 10
)

// resident is the memory that does not depend on the workers.
func (p *Plan) resident() int64 { return residentBase + residentNode*int64(p.Nodes) }

// MemoryError says that a memory bound is too small.
type MemoryError struct{ Bound, Minimum int64 }

// Error gives the smallest bound that works.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("--max-memory %s is too small: this model needs at least %s",
		FormatBytes(e.Bound), FormatBytes(e.Minimum))
}

// FormatBytes prints a size in binary units, rounded up to tenths.
func FormatBytes(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := n, 0
	for size >= 1<<20 && unit < len(units)-1 {
		size, unit = (size+1<<10-1)>>10, unit+1
	}
	tenths := (size*10 + 1<<10 - 1) >> 10
	return fmt.Sprintf("%d.%d %s", tenths/10, tenths%10, units[unit])
}

// workerMemory is what one worker holds at most: output, the evaluator's scratch, and as
// much again of garbage that the collector has not come to.
func (p *Plan) workerMemory() int64 {
	var most int64
	for _, u := range p.Units {
		most = max(most, u.size()+u.Scratch)
	}
	return 2 * most
}

func (u Unit) size() int64 {
	var n int64
	for _, e := range u.Extents {
		n += e.Size
	}
	return n
}

// MinimumMemory is the smallest bound under which the plan can be executed.
func (p *Plan) MinimumMemory() int64 { return p.resident() + p.workerMemory() }

// CheckMemory narrows the workers to what the bound allows; the error is a *MemoryError.
func (e Execution) CheckMemory(p *Plan) (Execution, error) {
	e.Workers = max(1, e.Workers)
	if e.MaxMemory == 0 {
		return e, nil
	}
	if e.MaxMemory < p.MinimumMemory() {
		return e, &MemoryError{e.MaxMemory, p.MinimumMemory()}
	}
	e.Workers = int(min(int64(e.Workers), (e.MaxMemory-p.resident())/max(1, p.workerMemory())))
	return e, nil
}

// Execute evaluates what the writer still lacks. A unit of which some extents are on disk is
// evaluated again, but only what is missing is written.
func Execute(ctx context.Context, p *Plan, src weights.Source, w *bundle.Writer, e Execution) error {
	e, err := e.CheckMemory(p)
	if err != nil {
		return err
	}
	x := &executor{plan: p, src: src, writer: w, opt: e, missing: missing(w)}
	for i, u := range p.Units {
		if x.pending(u) {
			x.todo = append(x.todo, i)
		} else {
			x.done.Add(u.size())
		}
		x.total += u.size()
	}
	return x.run(ctx)
}

type executor struct {
	plan    *Plan
	src     weights.Source
	writer  *bundle.Writer
	opt     Execution
	missing map[place][]bundle.Chunk
	todo    []int
	total   int64
	done    atomic.Int64
	next    atomic.Int64
}

// place is a section of a rank.
type place struct{ rank, section int }

func missing(w *bundle.Writer) map[place][]bundle.Chunk {
	byPlace := map[place][]bundle.Chunk{}
	for _, c := range w.Pending() {
		at := place{c.Rank, c.Section}
		byPlace[at] = append(byPlace[at], c)
	}
	return byPlace
}

// lacks reports whether any byte of the extent is still to be written.
func (x *executor) lacks(e Extent) bool {
	for _, m := range x.missing[place{e.Rank, e.Section}] {
		if m.Offset < e.Offset+e.Size && e.Offset < m.Offset+m.Size {
			return true
		}
	}
	return false
}

func (x *executor) pending(u Unit) bool {
	for _, e := range u.Extents {
		if x.lacks(e) {
			return true
		}
	}
	return false
}

func (x *executor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range min(x.opt.Workers, len(x.todo)) {
		wg.Go(func() {
			if err := x.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (x *executor) work(ctx context.Context) error {
	var buffer []byte
	for ctx.Err() == nil {
		i := x.next.Add(1) - 1
		if i >= int64(len(x.todo)) {
			return nil
		}
		u := x.plan.Units[x.todo[i]]
		if n := u.size(); int64(cap(buffer)) < n {
			buffer = make([]byte, n)
		}
		if err := x.unit(u, buffer); err != nil {
			return err
		}
		done := x.done.Add(u.size())
		if x.opt.Progress != nil {
			x.opt.Progress(done, x.total)
		}
	}
	return nil
}

func (x *executor) unit(u Unit, buffer []byte) error {
	out := make([][]byte, len(u.Extents))
	for i, e := range u.Extents {
		out[i], buffer = buffer[:e.Size:e.Size], buffer[e.Size:]
	}
	if err := u.Eval.Eval(x.src, u.Lo, u.Hi, out); err != nil {
		return err
	}
	for i, e := range u.Extents {
		if x.opt.Evaluated != nil {
			x.opt.Evaluated(x.plan.Manifest.Ranks[e.Rank].Sections[e.Section].Name, e.Size)
		}
		if e.Size == 0 || !x.lacks(e) {
			continue
		}
		if err := x.writer.Put(bundle.Chunk(e), out[i]); err != nil {
			return err
		}
	}
	return nil
}
