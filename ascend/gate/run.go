package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"moge/ascend/emu"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// Options says what to execute.
type Options struct {
	Shapes Shapes
	Seed   uint64   // of inputs and of the order that cores take turns in; the zero seed is one too
	Only   []string // kernels by name; all of them if empty
	// Trace, if not nil, receives the timeline of the last case of each kernel with every
	// instruction, when all are done, in the order of the kernels: see emu.Trace. Its error is Run's.
	Trace func(kernel string, t *emu.Timeline) error
	// Progress, if not nil, is called after each kernel, one call at a time.
	Progress func(done, total int, row Row)
}

// caseTime bounds the execution of one case: a text that never ends fails.
const caseTime = 10 * time.Minute

// Run compiles kernels, executes each at the shapes that the options ask for, and compares what it
// gives with its reference. What is wrong with one kernel, the compiler's messages included, is in
// its row; an error means that the gate itself could not go on. The report depends on the arguments
// alone.
func Run(ctx context.Context, chip *soc.Chip, ks []Kernel, o Options) (*Report, error) {
	ks, err := chosen(ks, o.Only)
	if err != nil {
		return nil, err
	}
	built, err := compile(ctx, chip, ks)
	if err != nil {
		return nil, err
	}
	defer built.close()
	r := &runner{chip: chip, options: o, kernels: ks, built: built, rows: make([]Row, len(ks)),
		times: make([]*emu.Timeline, len(ks))}
	r.lower()
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	if err := r.trace(); err != nil {
		return nil, err
	}
	return &Report{Chip: chip.Name(), Shapes: o.Shapes.String(), Seed: o.Seed, Rows: r.rows}, nil
}

// chosen is the kernels that only names, in their own order.
func chosen(ks []Kernel, only []string) ([]Kernel, error) {
	for i, k := range ks {
		if k.Spec == nil || k.Name != k.Spec.KernelName() {
			return nil, fmt.Errorf("kernel %s: its spec is that of another kernel", k.Name)
		}
		if slices.ContainsFunc(ks[:i], func(b Kernel) bool { return b.Name == k.Name }) {
			return nil, fmt.Errorf("kernel %s: twice", k.Name)
		}
		if references[k.Spec.Kind()] == nil {
			return nil, fmt.Errorf("kernel %s: kind %s has no reference", k.Name, k.Spec.Kind())
		}
	}
	for _, name := range only {
		if !slices.ContainsFunc(ks, func(k Kernel) bool { return k.Name == name }) {
			return nil, fmt.Errorf("no kernel %s among %d kernels", name, len(ks))
		}
	}
	if len(only) == 0 {
		return ks, nil
	}
	return slices.DeleteFunc(slices.Clone(ks), func(k Kernel) bool {
		return !slices.Contains(only, k.Name)
	}), nil
}

// runner executes kernels, each on a device of its own.
type runner struct {
	chip    *soc.Chip
	options Options
	kernels []Kernel
	built   *build
	of      []*device.Program // of each kernel
	rows    []Row
	times   []*emu.Timeline // of the last case of each
	mutex   sync.Mutex      // of the calls of the options, and of done
	done    int
}

// lower makes the programs of kernels whose program is not known, for their arguments.
func (r *runner) lower() {
	r.of = make([]*device.Program, len(r.kernels))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, k := range r.kernels {
		if r.of[i] = k.program; k.program != nil && k.program.Chip == r.chip {
			continue
		}
		group.Go(func() error {
			var err error
			if r.of[i], err = lowerSpec(r.chip, k.Spec); err != nil {
				r.built.errs[i] = err
			}
			return nil
		})
	}
	group.Wait()
}

// order is the kernels by the memory that they take at most, those that take most of it first: the
// longest one should not begin last.
func (r *runner) order() []int {
	most := make([]int64, len(r.kernels))
	order := make([]int, len(r.kernels))
	for i, p := range r.of {
		if order[i] = i; p == nil {
			continue
		}
		for _, g := range p.Globals {
			most[i] += g.Bytes(func(v *scalar.Var) int64 {
				_, hi := v.Int().Range()
				return hi
			})
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(most[b], most[a]) })
	return order
}

// all executes as many kernels at a time as there are processors: an emulated chip keeps one busy.
func (r *runner) all(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(r.kernels)) {
		wait.Go(func() {
			for i := range next {
				if err := r.kernel(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, i := range r.order() {
		next <- i
	}
	close(next)
	wait.Wait()
	return context.Cause(ctx)
}

// kernel fills in a row. The error is one of the gate.
func (r *runner) kernel(ctx context.Context, i int) error {
	if ctx.Err() != nil {
		return nil
	}
	k := r.kernels[i]
	row := Row{Kernel: k.Name, Kind: k.Spec.Kind()}
	err := r.built.errs[i]
	if err == nil {
		err = r.cases(ctx, i, &row)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		row.fail(err.Error())
	}
	row.Passed = row.Reason == ""
	r.rows[i] = row
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.done++
	if r.options.Progress != nil {
		r.options.Progress(r.done, len(r.kernels), row)
	}
	return nil
}

// cases executes the cases of a kernel until one fails. The error is about the kernel, too.
func (r *runner) cases(ctx context.Context, i int, row *Row) error {
	k := r.kernels[i]
	bed := &bed{lib: r.built.libs[i]}
	defer bed.close()
	for c := range Cases(k.Spec, r.options.Shapes, r.options.Seed) {
		res, err := r.one(ctx, bed, r.of[i], c, uint64(row.Cases))
		if err != nil {
			return err
		}
		r.times[i] = res.Timeline
		if row.add(c, res); row.Reason != "" {
			break
		}
	}
	if row.Cases == 0 {
		return fmt.Errorf("BUG: kernel %s: no cases", k.Name)
	}
	return nil
}

// one executes case number of a kernel.
func (r *runner) one(ctx context.Context, bed *bed, p *device.Program, c *Case, number uint64) (
	*Result, error) {
	dev, err := bed.device(ctx, p, c)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, caseTime)
	defer cancel()
	res, err := Launch(limited, dev, p, c, LaunchOptions{Timeline: true,
		Events: r.options.Trace != nil, Seed: r.options.Seed*1000 + number + 1, fresh: true})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s: has not ended after %v", c.Name, caseTime)
	}
	return res, err
}

// trace hands the timelines over.
func (r *runner) trace() error {
	for i, t := range r.times {
		if r.options.Trace == nil || t == nil {
			continue
		}
		if err := r.options.Trace(r.kernels[i].Name, t); err != nil {
			return err
		}
	}
	return nil
}

// bed is a device with fresh memory for each case: zeros, none of it taken from the machine yet.
type bed struct {
	lib *emu.Library
	dev *emu.Device
}

func (b *bed) device(ctx context.Context, p *device.Program, c *Case) (*emu.Device, error) {
	b.close()
	size, err := MemoryOf(p, c)
	if err != nil {
		return nil, err
	}
	b.dev, err = b.lib.Start(ctx, size)
	return b.dev, err
}

func (b *bed) close() {
	if b.dev != nil {
		b.dev.Close()
		b.dev = nil
	}
}
