package ranks

import (
	"fmt"
	"strings"

	"moge/formats/bundle/bundlepb"
)

// The outputs that ranks give in parts.
const (
	logitsOutput  = "logits"
	expertsPrefix = "experts."
	topValues     = "top.values"
	topIDs        = "top.ids"
	topStats      = "top.stats"
)

// merged is what was put together of the last step; each part is made when it is asked for.
type merged struct {
	logits    []float32
	hasLogits bool
	experts   map[string][]int32
	top       Top
	hasTop    bool
}

func (m *merged) forget() { *m = merged{logits: m.logits[:0]} }

// Floats is an f32 output of the last step; see device.Runner.
func (r *runner) Floats(name string) ([]float32, error) {
	if err := r.check(name); err != nil {
		return nil, err
	}
	switch name {
	case logitsOutput:
		return r.logits()
	case topValues, topStats:
		top, err := r.top()
		if name == topStats {
			return top.Stats, err
		}
		return top.Values, err
	}
	return nil, apart(name)
}

// Ints is an i32 output of the last step; see device.Runner.
func (r *runner) Ints(name string) ([]int32, error) {
	if err := r.check(name); err != nil {
		return nil, err
	}
	switch {
	case name == topIDs:
		top, err := r.top()
		return top.IDs, err
	case strings.HasPrefix(name, expertsPrefix):
		return r.experts(name)
	}
	return nil, apart(name)
}

func apart(name string) error {
	return fmt.Errorf("output %q: how its parts on the ranks go together is not known", name)
}

// logits are the rows that the step wants, in its order, of the whole vocabulary.
func (r *runner) logits() ([]float32, error) {
	if r.merged.hasLogits {
		return r.merged.logits, nil
	}
	parts := make([][]float32, r.head)
	var err error
	for i := range parts {
		if parts[i], err = r.workers[i].runner.Floats(logitsOutput); err != nil {
			return nil, err
		}
	}
	out, err := mergeLogits(r.merged.logits[:0], parts, r.split.at, int(r.vocabulary))
	if err != nil {
		return nil, fmt.Errorf("output %q: %w", logitsOutput, err)
	}
	r.merged.logits, r.merged.hasLogits = out, true
	return out, nil
}

// mergeLogits appends row at[i] of all parts to out, for every i. Each part has the columns of its block of
// the vocabulary, and maybe more that are padding; a single part is whole.
func mergeLogits(out []float32, parts [][]float32, at []int, vocabulary int) ([]float32, error) {
	if len(at) == 0 {
		return out, nil
	}
	width := len(parts[0]) / len(at)
	if len(parts) == 1 {
		vocabulary = width
	}
	block := blockOf(vocabulary, len(parts))
	for i, p := range parts {
		if len(p) != width*len(at) || width < block {
			return nil, fmt.Errorf("part %d has %d elements for %d rows of %d columns", i, len(p), len(at),
				block)
		}
	}
	for _, row := range at {
		for i, p := range parts {
			columns := max(0, min(block, vocabulary-i*block))
			out = append(out, p[row*width:][:columns]...)
		}
	}
	return out, nil
}

// blockOf is the tokens of the vocabulary that each of several ranks has, the last ones maybe fewer.
func blockOf(vocabulary, ranks int) int { return (vocabulary + ranks - 1) / ranks }

// experts are the experts of the step's tokens, in its order, of a layer.
func (r *runner) experts(name string) ([]int32, error) {
	if ids := r.merged.experts[name]; ids != nil {
		return ids, nil
	}
	parts, err := r.expertParts(name)
	if err != nil {
		return nil, err
	}
	k := len(parts[0]) / r.split.world
	base := 0
	if len(parts) > 1 {
		base = r.router.experts / len(parts)
	}
	ids := make([]int32, 0, k*len(parts)*len(r.split.place))
	for _, row := range r.split.place {
		for i, part := range parts {
			for _, id := range part[int(row)*k:][:k] {
				ids = append(ids, id+int32(i*base))
			}
		}
	}
	if r.merged.experts == nil {
		r.merged.experts = map[string][]int32{}
	}
	r.merged.experts[name] = ids
	return ids, nil
}

// expertParts are the choices of a layer over all rows: those of the first rank, or where ranks choose
// among their own experts alone, counted from their first, those of a rank with each part of them.
func (r *runner) expertParts(name string) ([][]int32, error) {
	first, err := r.workers[0].runner.Ints(name)
	if err != nil {
		return nil, err
	}
	parts := [][]int32{first}
	if whole := r.split.world * r.router.perToken; r.router.parts > 1 && len(first)*r.router.parts == whole {
		for i := 1; i < r.router.parts; i++ {
			part, err := r.workers[i*r.router.stride].runner.Ints(name)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		if len(part)%r.split.world != 0 || len(part) != len(first) {
			return nil, fmt.Errorf("output %q: %d elements for %d rows of all groups", name, len(part), r.split.world)
		}
	}
	return parts, nil
}

// router is how the experts of a layer lie over the ranks.
type router struct {
	experts, perToken int
	parts, stride     int // ranks with different experts, and how far they are apart
}

func routerOf(m *bundlepb.Manifest) router {
	d := m.GetPlacement().GetExperts()
	return router{int(m.Model.GetExperts()), int(m.Model.GetExpertsPerToken()), int(max(1, d.GetEp())),
		int(max(1, d.GetTp()))}
}

// check refuses an output that the program does not have, or has not given yet.
func (r *runner) check(name string) error {
	switch {
	case !r.outputs[name]:
		return fmt.Errorf("the program has no output %q", name)
	case !r.ran:
		return fmt.Errorf("output %q: no step has succeeded", name)
	}
	return nil
}

// top is the greatest logits of the rows that the step wants, in its order.
func (r *runner) top() (Top, error) {
	if r.merged.hasTop {
		return r.merged.top, nil
	}
	parts := make([]Top, r.head)
	for i := range parts {
		p, err := &parts[i], error(nil)
		if p.Values, err = r.workers[i].runner.Floats(topValues); err != nil {
			return Top{}, err
		}
		if p.IDs, err = r.workers[i].runner.Ints(topIDs); err != nil {
			return Top{}, err
		}
		if p.Stats, err = r.workers[i].runner.Floats(topStats); err != nil {
			return Top{}, err
		}
	}
	top, err := MergeTop(parts, r.split.at, int(r.vocabulary))
	if err != nil {
		return Top{}, fmt.Errorf("output %q: %w", topValues, err)
	}
	r.merged.top, r.merged.hasTop = top, true
	return top, nil
}
