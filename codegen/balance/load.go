package balance

import (
	"fmt"
	"slices"
)

// Load counts what experts the tokens of a text chose, layer by layer.
type Load struct {
	shape  ExpertLoad // without layers
	layers []*layerCount
}

// layerCount is what was seen of one layer.
type layerCount struct {
	layer    int
	tokens   int64
	experts  []int64   // tokens that chose it
	together [][]int64 // [i][j], j < i: tokens that chose both
	// rows of each device in the batch that is being filled, and how many tokens are in it.
	rows   []int64
	filled int
	scores scores
}

// scores are those of full batches.
type scores struct {
	batches, above int64
	sum, most      float64
}

// DefaultBatch is the batch of the paper's figure of the imbalance score.
const DefaultBatch = 16

// NewLoad counts for a router. Of the score, batches are of batch tokens that follow each other in the
// text, devices are ep, each with Experts/ep neighbours.
func NewLoad(r Router, ep, batch int) (*Load, error) {
	switch {
	case r.Experts < 1 || r.Experts > maxExperts || r.TopK < 1 || r.TopK > r.Experts:
		return nil, fmt.Errorf("%d of %d experts a token: loads are counted for at most %d",
			r.TopK, r.Experts, maxExperts)
	case ep < 1 || r.Experts%int64(ep) != 0:
		return nil, fmt.Errorf("%d experts do not lie evenly on %d ranks", r.Experts, ep)
	case batch < 1:
		return nil, fmt.Errorf("a batch of %d tokens has no score", batch)
	}
	return &Load{shape: ExpertLoad{Experts: r.Experts, TopK: r.TopK, Groups: r.Groups, EP: ep,
		Batch: batch, Ideal: float64(r.TopK) / float64(r.Experts), Layers: []LayerLoad{}}}, nil
}

// Add counts the choices ids [tokens,TopK] of one layer; tokens come in the order of the text.
func (l *Load) Add(layer int, ids []int32, tokens int) error {
	if tokens < 1 || int64(len(ids)) != int64(tokens)*l.shape.TopK {
		return fmt.Errorf("layer %d: %d expert choices of %d tokens, want %d each", layer, len(ids), tokens,
			l.shape.TopK)
	}
	c := l.layer(layer)
	for chosen := range slices.Chunk(ids, int(l.shape.TopK)) {
		if err := c.add(chosen, &l.shape); err != nil {
			return fmt.Errorf("layer %d: %w", layer, err)
		}
	}
	return nil
}

func (l *Load) layer(layer int) *layerCount {
	order := func(c *layerCount, n int) int { return c.layer - n }
	i, found := slices.BinarySearchFunc(l.layers, layer, order)
	if !found {
		c := &layerCount{layer: layer, experts: make([]int64, l.shape.Experts),
			rows: make([]int64, l.shape.EP)}
		for i := range c.experts {
			c.together = append(c.together, make([]int64, i))
		}
		l.layers = slices.Insert(l.layers, i, c)
	}
	return l.layers[i]
}

// add counts one token.
func (c *layerCount) add(chosen []int32, s *ExpertLoad) error {
	for i, e := range chosen {
		if e < 0 || int64(e) >= s.Experts || slices.Contains(chosen[:i], e) {
			return fmt.Errorf("a token chose the experts %v, want %d different ones below %d", chosen, s.TopK,
				s.Experts)
		}
	}
	c.tokens++
	perDevice := int32(s.Experts / int64(s.EP))
	for i, e := range chosen {
		c.experts[e]++
		c.rows[e/perDevice]++
		for _, other := range chosen[:i] {
			c.together[max(e, other)][min(e, other)]++
		}
	}
	if c.filled++; c.filled == s.Batch {
		c.scores.add(Score(c.rows, int64(s.Batch)))
		clear(c.rows)
		c.filled = 0
	}
	return nil
}

func (s *scores) add(score float64) {
	s.batches++
	s.sum += score
	s.most = max(s.most, score)
	if score > 0 {
		s.above++
	}
}

// Report is what was counted.
func (l *Load) Report() *ExpertLoad {
	out := l.shape
	for _, c := range l.layers {
		out.Layers = append(out.Layers, c.report())
	}
	return &out
}

func (c *layerCount) report() LayerLoad {
	out := LayerLoad{Layer: c.layer, Tokens: c.tokens, Experts: slices.Clone(c.experts), Pairs: []Pair{}}
	for _, row := range c.together {
		out.Together = append(out.Together, slices.Clone(row))
	}
	out.derive()
	if s := c.scores; s.batches > 0 {
		n := float64(s.batches)
		out.Imbalance = &Imbalance{s.batches, s.sum / n, s.most, float64(s.above) / n}
	}
	return out
}
