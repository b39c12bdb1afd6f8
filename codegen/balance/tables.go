package balance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// ExpertLoad is what experts a text chose. Shares are of tokens, from 0 to 1.
type ExpertLoad struct {
	Experts int64       `json:"experts"`
	TopK    int64       `json:"experts_per_token"`
	Groups  int64       `json:"groups"`
	EP      int         `json:"ep"`    // devices of the imbalance score
	Batch   int         `json:"batch"` // tokens of a batch of the imbalance score
	Ideal   float64     `json:"ideal_share"`
	Layers  []LayerLoad `json:"layers"` // ascending
}

// LayerLoad is what the tokens chose in one layer.
type LayerLoad struct {
	Layer        int     `json:"layer"`
	Tokens       int64   `json:"tokens"`
	Busiest      int     `json:"busiest"` // the lowest of those with the most tokens
	BusiestShare float64 `json:"busiest_share"`
	// Imbalance is the score over full batches; absent if the text is shorter than one.
	Imbalance *Imbalance `json:"imbalance,omitempty"`
	Pairs     []Pair     `json:"pairs"`           // the most frequent, descending
	Experts   []int64    `json:"expert_tokens"`   // tokens that chose each expert
	Together  [][]int64  `json:"together_tokens"` // [i][j] for j < i: tokens that chose both
}

// Imbalance is the imbalance score (Eq. 3) over batches.
type Imbalance struct {
	Batches int64   `json:"batches"`
	Mean    float64 `json:"mean"`
	Most    float64 `json:"most"`
	Above   float64 `json:"share_above_0"`
}

// Pair is two experts that tokens chose together.
type Pair struct {
	A     int     `json:"a"`
	B     int     `json:"b"` // above A
	Share float64 `json:"share"`
}

// maxPairs is how many pairs a report lists for a layer.
const maxPairs = 8

// derive computes the busiest expert and the pairs from the tables.
func (l *LayerLoad) derive() {
	l.Busiest, l.BusiestShare, l.Pairs = 0, 0, []Pair{}
	if l.Tokens == 0 {
		return
	}
	tokens := float64(l.Tokens)
	for e, n := range l.Experts {
		if n > l.Experts[l.Busiest] {
			l.Busiest = e
		}
	}
	l.BusiestShare = float64(l.Experts[l.Busiest]) / tokens
	for b, row := range l.Together {
		for a, n := range row {
			if n > 0 {
				l.Pairs = append(l.Pairs, Pair{a, b, float64(n) / tokens})
			}
		}
	}
	slices.SortFunc(l.Pairs, func(x, y Pair) int {
		return cmp.Or(cmp.Compare(y.Share, x.Share), x.A-y.A, x.B-y.B)
	})
	l.Pairs = slices.Clip(l.Pairs[:min(len(l.Pairs), maxPairs)])
}

// LoadSchema is the schema of the report whose field "experts" ParseLoad reads.
const LoadSchema = "moge.eval/1"

// maxLayers bounds a file.
const maxLayers = 1024

// ParseLoad reads the expert load of a report of schema LoadSchema. Everything that can be computed
// from the counts is computed again.
func ParseLoad(data []byte) (*ExpertLoad, error) {
	var r struct {
		Schema string      `json:"schema"`
		Load   *ExpertLoad `json:"experts"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("no JSON report: %w", err)
	}
	if r.Schema != LoadSchema {
		return nil, fmt.Errorf("the report has schema %.40q, want %s", r.Schema, LoadSchema)
	}
	if r.Load == nil {
		return nil, fmt.Errorf("the report has no expert load: make it with moge eval --experts --json")
	}
	return r.Load, r.Load.check()
}

func (e *ExpertLoad) check() error {
	l, err := NewLoad(Router{e.Experts, e.TopK, e.Groups}, e.EP, e.Batch)
	if err != nil {
		return err
	}
	e.Ideal = l.shape.Ideal
	if len(e.Layers) > maxLayers || e.Groups < 0 || e.Groups > e.Experts {
		return fmt.Errorf("%d layers and %d groups of %d experts", len(e.Layers), e.Groups, e.Experts)
	}
	last := -1
	for i := range e.Layers {
		layer := &e.Layers[i]
		if layer.Layer <= last {
			return fmt.Errorf("layer %d does not come in order", layer.Layer)
		}
		last = layer.Layer
		if err := layer.check(e); err != nil {
			return fmt.Errorf("layer %d: %w", layer.Layer, err)
		}
	}
	return nil
}

// check compares the sums of the tables with the number of tokens.
func (l *LayerLoad) check(e *ExpertLoad) error {
	if l.Tokens < 0 || l.Tokens > 1<<40 || int64(len(l.Experts)) != e.Experts ||
		len(l.Together) != len(l.Experts) {
		return fmt.Errorf("%d tokens and tables of %d and %d experts, want %d", l.Tokens, len(l.Experts),
			len(l.Together), e.Experts)
	}
	if err := sums(l.Experts, l.Tokens, l.Tokens*e.TopK); err != nil {
		return err
	}
	var all []int64
	for i, row := range l.Together {
		if len(row) != i {
			return fmt.Errorf("the table of pairs has %d entries in row %d", len(row), i)
		}
		all = append(all, row...)
	}
	if err := sums(all, l.Tokens, l.Tokens*(e.TopK*(e.TopK-1)/2)); err != nil {
		return err
	}
	l.derive()
	return l.Imbalance.check(l.Tokens, e)
}

// sums fails if counts are not each from 0 to most, or not total in all.
func sums(counts []int64, most, total int64) error {
	sum := int64(0)
	for _, n := range counts {
		if n < 0 || n > most {
			return fmt.Errorf("%d of %d tokens", n, most)
		}
		sum += n
	}
	if sum != total {
		return fmt.Errorf("%d choices, want %d", sum, total)
	}
	return nil
}

func (i *Imbalance) check(tokens int64, e *ExpertLoad) error {
	switch {
	case i == nil:
		return nil
	case i.Batches < 1 || i.Batches > tokens/int64(e.Batch):
		return fmt.Errorf("%d batches of %d tokens in %d", i.Batches, e.Batch, tokens)
	case !(i.Mean >= 0 && i.Mean <= i.Most && i.Most <= float64(e.TopK) && i.Above >= 0 && i.Above <= 1):
		return fmt.Errorf("imbalance scores of %v to %v, %v of them above 0", i.Mean, i.Most, i.Above)
	}
	return nil
}
