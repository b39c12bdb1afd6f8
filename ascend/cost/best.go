package cost

import (
	"math"

	"moge/ir/placement"
)

// Plan is how a model lies over the chips of a machine, and how its steps run.
type Plan struct {
	Placement placement.Placement
	Schedule  Schedule
	Style     Style
}

// Timed is a plan with the time of a step, s.
type Timed struct {
	Plan
	Seconds float64
}

// Ops is the ops of a step, appended to list.
func (p Plan) Ops(list []Op, model *Model, s Step) []Op {
	return model.Ops(list, p.Placement, s, p.Schedule)
}

// Placements lists the legal placements that hold each expert and each MLP once: replicas of all
// weights would be several deployments, not one. Padding is as in placement.Rules.
func (m *Machine) Placements(model *Model, devices int, padding float64) []placement.Placement {
	var list []placement.Placement
	for _, p := range placement.List(model.Sizes(), m.Rules(padding), devices) {
		if p.Experts.DP == 1 && p.Shared.DP == 1 {
			list = append(list, p)
		}
	}
	return list
}

// Legal lists every legal placement, replicas too.
func (m *Machine) Legal(model *Model, devices int, padding float64) []placement.Placement {
	return placement.List(model.Sizes(), m.Rules(padding), devices)
}

// Padding is the largest share of zeros in a part of a placement, of what is real.
func (m *Machine) Padding(model *Model, p placement.Placement) float64 {
	most := 0.0
	for _, part := range p.Parts(model.Sizes(), m.Rules(math.MaxFloat64)) {
		most = max(most, part.Waste())
	}
	return most
}

// Best is the fastest of some plans for a step, the first of equals, of those whose memory suffices;
// ok is false when that of none does.
func (m *Machine) Best(model *Model, plans []Plan, s Step) (best Timed, ok bool) {
	var ops []Op
	for _, p := range plans {
		if !m.Memory(model, p.Placement, s).Fits() {
			continue
		}
		ops = p.Ops(ops[:0], model, s)
		if t := m.Seconds(ops, p.Style); !ok || t < best.Seconds {
			best, ok = Timed{p, t}, true
		}
	}
	return best, ok
}

// largest is the greatest number from 1 to limit that is good, 0 for none, where every number below a
// good one is good too.
func largest(limit int64, good func(int64) bool) int64 {
	if limit < 1 || !good(1) {
		return 0
	}
	lo, hi := int64(1), int64(2)
	for hi <= limit && good(hi) {
		lo, hi = hi, 2*hi
	}
	hi = min(hi, limit+1)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; good(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Bounds of what is searched for.
const (
	maxBatch   = 1 << 16
	maxContext = 1 << 20
)

// LargestBatch is the most sequences of a context of which a decode step takes at most limit seconds and
// fits; 0 for none.
func (m *Machine) LargestBatch(model *Model, p Plan, context int64, limit float64) int64 {
	return m.largestBatch(model, p, context, limit, new([]Op))
}

// largestBatch is LargestBatch with room for ops.
func (m *Machine) largestBatch(model *Model, p Plan, context int64, limit float64, ops *[]Op) int64 {
	return largest(maxBatch,
		func(n int64) bool { return m.meets(model, p, Decode(n, context), limit, ops) })
}

// meets reports whether a step fits and takes at most limit seconds.
func (m *Machine) meets(model *Model, p Plan, s Step, limit float64, ops *[]Op) bool {
	if !m.Memory(model, p.Placement, s).Fits() {
		return false
	}
	*ops = p.Ops((*ops)[:0], model, s)
	return m.Seconds(*ops, p.Style) <= limit
}

// LargestContext is the most positions, at most those that the model was made for, that each of some
// sequences can have under the same conditions.
func (m *Machine) LargestContext(model *Model, p Plan, sequences int64, limit float64) int64 {
	var ops []Op
	most := model.Positions
	if most == 0 {
		most = maxContext
	}
	return largest(most,
		func(n int64) bool { return m.meets(model, p, Decode(sequences, n), limit, &ops) })
}
