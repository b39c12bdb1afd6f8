package cost

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"moge/ir/dtype"
	"moge/ir/placement"
)

// Space is the models that a search looks at: all values of each size, with every width of experts, in
// steps of WidthStep, that gives a number of parameters between MinParams and MaxParams. Experts form 8
// groups of which each gives one, the shared expert is as wide as 4, heads have 128 elements.
type Space struct {
	Hidden, Layers, Heads, KVHeads, Experts []int64
	WidthStep                               int64
	Vocabulary                              int64
	MinParams, MaxParams                    int64
}

// PaperSpace is that of the paper (§2.3), with steps that hold its model: hidden 4096 to 8192, layers 40
// to 64, experts 32 to 64, query heads 32 to 64, heads of keys 8 to 16.
func PaperSpace(minParams, maxParams int64) Space {
	return Space{Hidden: steps(4096, 8192, 512), Layers: steps(40, 64, 4), Heads: steps(32, 64, 8),
		KVHeads: steps(8, 16, 8), Experts: steps(32, 64, 8), WidthStep: 64, Vocabulary: 153376,
		MinParams: minParams, MaxParams: maxParams}
}

func steps(lo, hi, by int64) []int64 {
	var list []int64
	for x := lo; x <= hi; x += by {
		list = append(list, x)
	}
	return list
}

// Models lists the models of a space, by hidden width, layers, experts, heads, heads of keys and width.
func (s Space) Models() []*Model {
	var list []*Model
	for _, hidden := range s.Hidden {
		for _, layers := range s.Layers {
			for _, experts := range s.Experts {
				for _, heads := range s.Heads {
					for _, kv := range s.KVHeads {
						m := s.model(hidden, layers, experts, heads, kv)
						list = s.widths(list, m)
					}
				}
			}
		}
	}
	return list
}

func (s Space) model(hidden, layers, experts, heads, kv int64) Model {
	return Model{Name: "candidate", Hidden: hidden, Layers: layers, Experts: experts, Heads: heads,
		KVHeads: kv, HeadDim: 128, PerToken: 8, Groups: 8, Vocabulary: s.Vocabulary, QKVBias: true,
		OutBias: true, GateCalls: gateCalls, Weights: dtype.I8, Head: dtype.F16, Cached: dtype.F16}
}

func (s Space) widths(list []*Model, m Model) []*Model {
	for width := s.WidthStep; ; width += s.WidthStep {
		m.ExpertWidth, m.SharedWidth = width, 4*width
		total, _ := m.Parameters()
		if total > s.MaxParams {
			return list
		}
		if total >= s.MinParams {
			candidate := m
			list = append(list, &candidate)
		}
	}
}

// PanguProMoE is the sizes of the paper's table 1, with int8 weights and a cache in halves.
func PanguProMoE() *Model {
	m := PaperSpace(0, 0).model(5120, 48, 64, 40, 8)
	m.Name, m.ExpertWidth, m.SharedWidth = "Pangu Pro MoE", 1344, 5376
	return &m
}

// Result is what one model reaches on one machine.
type Result struct {
	Plan    Plan
	Batch   int64
	Seconds float64 // of a step
	PerChip float64 // tokens a second of one chip; 0 where not even one sequence meets the limit
}

// Candidate is a model with its results, in the order of the machines.
type Candidate struct {
	Model         *Model
	Total, Active int64 // parameters
	Results       []Result
}

// Search evaluates models on machines: the throughput of the best placement at the largest batch of a
// context that meets the machine's time limit. Progress hears how many models are done. The error is
// that of the context.
func Search(ctx context.Context, models []*Model, machines []*Machine, positions int64, style Style,
	progress func(done, total int)) ([]Candidate, error) {
	list := make([]Candidate, len(models))
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 256
	for lo := 0; lo < len(models); lo += chunk {
		part := models[lo:min(lo+chunk, len(models))]
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var e evaluator
			for i, m := range part {
				list[lo+i] = e.evaluate(m, machines, positions, style)
			}
			progress(int(done.Add(int64(len(part)))), len(models))
			return nil
		})
	}
	return list, g.Wait()
}

// Evaluate is what a model reaches on some machines.
func Evaluate(model *Model, machines []*Machine, positions int64, style Style) Candidate {
	return new(evaluator).evaluate(model, machines, positions, style)
}

// evaluator keeps what models have in common.
type evaluator struct {
	ops    []Op
	listed map[listing][]placement.Placement
}

// listing is what decides which placements there are, but for the padding of widths.
type listing struct {
	machine                        string
	heads, kv, experts, vocabulary int64
}

func (e *evaluator) evaluate(model *Model, machines []*Machine, positions int64, style Style) Candidate {
	c := Candidate{Model: model}
	c.Total, c.Active = model.Parameters()
	for _, m := range machines {
		c.Results = append(c.Results, e.throughput(m, model, positions, style))
	}
	return c
}

// placements lists those of a whole server.
func (e *evaluator) placements(m *Machine, model *Model) []placement.Placement {
	key := listing{m.Name, model.Heads, model.KVHeads, model.Experts, model.Vocabulary}
	list, ok := e.listed[key]
	if !ok {
		even := *model
		even.ExpertWidth = int64(m.Chips) * widthAlign
		even.SharedWidth = even.ExpertWidth
		list = m.Placements(&even, m.Chips, searchPadding)
		if e.listed == nil {
			e.listed = map[listing][]placement.Placement{}
		}
		e.listed[key] = list
	}
	return list
}

// searchPadding is the most zeros in a part of a candidate, relative to what is real.
const searchPadding = 0.01

// wasteful reports whether parts of the widths would be padded too much.
func wasteful(model *Model, p placement.Placement) bool {
	over := func(width int64, ways int) bool {
		return float64(padded(width, ways)*int64(ways)) > float64(width)*(1+searchPadding)
	}
	return over(model.ExpertWidth, p.Experts.TP) || over(model.SharedWidth, p.Shared.TP)
}

// throughput is that of the best placement on all chips of a server. Where rows need no padding, more
// sequences give more tokens a second: a placement which is too slow for the next such number above the
// best batch, and gives less at it, is not better with fewer.
func (e *evaluator) throughput(m *Machine, model *Model, positions int64, style Style) Result {
	var best Result
	seconds := func(p Plan, batch int64) float64 {
		e.ops = p.Ops(e.ops[:0], model, Decode(batch, positions))
		return m.Seconds(e.ops, style)
	}
	for _, p := range e.placements(m, model) {
		plan := Plan{p, Scattered, style}
		if wasteful(model, p) {
			continue
		}
		if best.Batch > 0 {
			next := roundUp(best.Batch+1, int64(m.Chips))
			t := seconds(plan, next)
			if t > m.Limit && float64(next)/t/float64(m.Chips) < best.PerChip {
				continue
			}
		}
		batch := m.largestBatch(model, plan, positions, m.Limit, &e.ops)
		if batch == 0 {
			continue
		}
		t := seconds(plan, batch)
		if rate := float64(batch) / t / float64(m.Chips); rate > best.PerChip {
			best = Result{plan, batch, t, rate}
		}
	}
	return best
}

// Rank is the place of a result among those of all candidates on a machine: 1 is the best; equal ones
// share the better place.
func Rank(list []Candidate, machine int, perChip float64) int {
	rank := 1
	for i := range list {
		if list[i].Results[machine].PerChip > perChip {
			rank++
		}
	}
	return rank
}

// Sorted is the candidates by what they reach on a machine, the best first, equal ones as they were.
func Sorted(list []Candidate, machine int) []Candidate {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Candidate) int {
		return cmp.Compare(b.Results[machine].PerChip, a.Results[machine].PerChip)
	})
	return sorted
}
