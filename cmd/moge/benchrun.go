package main

import (
	"context"
	"math/rand/v2"
	"time"

	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/probe"
)

// benchRun is sequences at one depth, and what was counted while they grew.
type benchRun struct {
	engine    *engine.Engine
	work      *workload
	sequences []*engine.Sequence
	depth     int
	random    *rand.Rand
	outputs   []bool // by layer with experts: whether the program lists the choices

	batch    device.Batch
	spans    []span // of the batch, one for each sequence that is in it
	seen     []int  // by expert: the last step and layer that chose it
	stamp    int
	distinct []int // of the step, by layer with experts
	total    benchTotals
}

// benchTotals are sums over steps.
type benchTotals struct {
	tokens, steps, bytes, operations, integer int64
	distinct                                  []int64 // by layer with experts
}

// measurement is what came of a test.
type measurement struct {
	speeds []float64 // tokens a second
	stolen float64   // share of the processors' time; negative where the system does not tell
	benchTotals
}

func newBenchRun(ctx context.Context, e *engine.Engine, w *workload, depth, parallel int) (*benchRun, error) {
	r := &benchRun{engine: e, work: w, depth: depth, random: rand.New(rand.NewPCG(1, 2)),
		seen: make([]int, e.Model().Experts), distinct: make([]int, len(w.experts))}
	names := map[string]bool{}
	for _, name := range e.Outputs() {
		names[name] = true
	}
	for _, l := range w.experts {
		r.outputs = append(r.outputs, names[l.output])
	}
	for range parallel {
		s, err := e.NewSequence()
		if err != nil {
			r.free()
			return nil, err
		}
		r.sequences = append(r.sequences, s)
	}
	if depth > 0 {
		if err := r.feed(ctx, r.ids(depth), false); err != nil {
			r.free()
			return nil, err
		}
	}
	return r, nil
}

func (r *benchRun) free() {
	for _, s := range r.sequences {
		s.Free()
	}
}

// ids are n random tokens for each sequence.
func (r *benchRun) ids(n int) [][]int32 {
	all := make([][]int32, len(r.sequences))
	for s := range all {
		all[s] = make([]int32, n)
		for i := range all[s] {
			all[s][i] = int32(r.random.Int64N(r.engine.Model().VocabSize))
		}
	}
	return all
}

// measure runs a test once to warm up and then as often as it is asked to.
func (r *benchRun) measure(ctx context.Context, c benchCase, repeat int) (m measurement, err error) {
	var before probe.Times
	var known error
	for i := range repeat + 1 {
		ids := r.ids(c.n)
		if i <= 1 { // the first warms up
			r.total = benchTotals{distinct: make([]int64, len(r.distinct))}
			before, known = probe.ReadTimes()
		}
		start := time.Now()
		if err := r.feed(ctx, ids, c.each); err != nil {
			return m, err
		}
		if i > 0 {
			m.speeds = append(m.speeds, float64(c.n*c.parallel)/time.Since(start).Seconds())
		}
		for _, s := range r.sequences {
			if err := s.Truncate(c.depth); err != nil {
				return m, err
			}
		}
	}
	m.benchTotals, m.stolen = r.total, -1
	if after, err := probe.ReadTimes(); err == nil && known == nil {
		m.stolen = after.StolenSince(before)
	}
	return m, nil
}

// feed appends tokens to all sequences: all at once, in steps of as many as the plan allows, or
// one of each sequence in a step.
func (r *benchRun) feed(ctx context.Context, ids [][]int32, each bool) error {
	limits := r.engine.Limits()
	n, columns := len(ids[0]), 1
	if each {
		n, columns = 1, len(ids[0])
	}
	for c := range columns {
		for s := range ids {
			at := r.sequences[s].Len()
			for j, id := range ids[s][c*n : (c+1)*n] {
				r.append(s, at+j, id, j == 0)
				if j == n-1 {
					r.batch.Rows = append(r.batch.Rows, int32(len(r.batch.Tokens)-1))
				}
				if len(r.batch.Tokens) < limits.BatchTokens && len(r.batch.Rows) < limits.LogitsRows {
					continue
				}
				if err := r.step(ctx); err != nil {
					return err
				}
			}
		}
		if err := r.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// append adds a token to the batch.
func (r *benchRun) append(s, position int, id int32, first bool) {
	b := &r.batch
	if first || len(b.Tokens) == 0 {
		r.spans = append(r.spans, span{int64(position), int64(position)})
	}
	r.spans[len(r.spans)-1].end++
	b.Tokens = append(b.Tokens, id)
	b.Positions = append(b.Positions, int32(position))
	b.Sequences = append(b.Sequences, int32(r.sequences[s].Slot()))
}

// step runs the batch, if it has tokens, counts, and begins the next one.
func (r *benchRun) step(ctx context.Context) error {
	if len(r.batch.Tokens) == 0 {
		return nil
	}
	if err := r.engine.Run(ctx, r.batch, r.count); err != nil {
		return err
	}
	b := &r.batch
	b.Tokens, b.Positions, b.Sequences, b.Rows = b.Tokens[:0], b.Positions[:0], b.Sequences[:0], b.Rows[:0]
	r.spans = r.spans[:0]
	return nil
}

// count adds the step that ran to the totals.
func (r *benchRun) count(runner device.Runner) error {
	t := &r.total
	for i, l := range r.work.experts {
		if err := r.countExperts(runner, i, l); err != nil {
			return err
		}
		if t.distinct != nil {
			t.distinct[i] += int64(r.distinct[i])
		}
	}
	t.steps++
	t.tokens += int64(len(r.batch.Tokens))
	t.bytes += r.work.bytes(r.spans, r.distinct)
	all, integer := r.work.operations(r.spans, len(r.batch.Rows))
	t.operations, t.integer = t.operations+all, t.integer+integer
	return nil
}

// countExperts counts the distinct choices of a layer; a program that does not list them may have
// chosen as many as there are.
func (r *benchRun) countExperts(runner device.Runner, i int, l expertLayer) error {
	if !r.outputs[i] {
		m := r.engine.Model()
		r.distinct[i] = int(min(m.Experts, m.ExpertsPerToken*int64(len(r.batch.Tokens))))
		return nil
	}
	ids, err := runner.Ints(l.output)
	if err != nil {
		return err
	}
	r.stamp++
	r.distinct[i] = 0
	for _, id := range ids {
		if r.seen[id] != r.stamp {
			r.seen[id] = r.stamp
			r.distinct[i]++
		}
	}
	return nil
}
