package interp

import (
	"errors"
	"fmt"
	"sync"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/tensor"
)

// RankInputs is what one of several ranks is given.
type RankInputs struct {
	Inputs
	State *State // of this rank; nil starts empty and is dropped
}

// RunRanks executes one step of a partitioned program on all ranks at once and returns the outputs of
// each by name. Rows of the sequence -1 are padding. What the options of a rank have it call is called
// beside that of the others. On failure no state is changed.
func RunRanks(g *ir.Graph, in []RankInputs, w Weights, opt func(rank int) Options) (
	[]map[string]*tensor.Tensor, error) {
	outputs := make([]map[string]*tensor.Tensor, len(in))
	after := make([]*State, len(in))
	err := onEach(len(in), func(m *member) (err error) {
		r, o := m.rank, Options{}
		if opt != nil {
			o = opt(r)
		}
		o.rank = m
		after[r] = NewState()
		if in[r].State != nil {
			after[r] = in[r].State.Clone()
		}
		outputs[r], err = Run(g, in[r].Inputs, after[r], w, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	for r := range in {
		if in[r].State != nil {
			*in[r].State = *after[r]
		}
	}
	return outputs, nil
}

// onEach runs all ranks at once; when one fails the others stop waiting for it.
func onEach(ranks int, run func(*member) error) error {
	world, errs := newWorld(ranks), make([]error, ranks)
	var wait sync.WaitGroup
	for r := range errs {
		wait.Go(func() {
			if errs[r] = run(&member{world, r}); errs[r] != nil {
				world.abort()
			}
		})
	}
	wait.Wait()
	return firstFailure(errs)
}

// errAborted ends the ranks that wait for one that failed.
var errAborted = errors.New("another rank failed")

// firstFailure prefers a cause to its consequences.
func firstFailure(errs []error) error {
	var aborted error
	for r, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, errAborted):
			aborted = fmt.Errorf("rank %d: %w", r, err)
		default:
			return fmt.Errorf("rank %d: %w", r, err)
		}
	}
	return aborted
}

// world is where ranks meet: each brings a tensor and takes those of all.
type world struct {
	mu      sync.Mutex
	changed *sync.Cond
	ranks   int
	round   int // meetings that are over
	arrived int
	brought []*tensor.Tensor
	taken   []*tensor.Tensor // of the last meeting
	failed  bool
}

func newWorld(ranks int) *world {
	w := &world{ranks: ranks, brought: make([]*tensor.Tensor, ranks)}
	w.changed = sync.NewCond(&w.mu)
	return w
}

func (w *world) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = true
	w.changed.Broadcast()
}

// meet waits for all ranks and returns what each brought.
func (w *world) meet(rank int, t *tensor.Tensor) ([]*tensor.Tensor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.brought[rank] = t
	w.arrived++
	round := w.round
	if w.arrived == w.ranks {
		w.taken = append([]*tensor.Tensor(nil), w.brought...)
		w.arrived, w.round = 0, w.round+1
		w.changed.Broadcast()
	}
	for w.round == round && !w.failed {
		w.changed.Wait()
	}
	if w.round == round {
		return nil, errAborted
	}
	return w.taken, nil
}

// member is a rank's place in the world; nil is a program alone.
type member struct {
	world *world
	rank  int
}

// index is the rank's number in its group; an attribute of the node overrides it.
func (m *member) index(n *ir.Node) (int64, error) {
	if a, ok := n.Attr("index"); ok {
		return a.Int, nil
	}
	if m == nil {
		if n.Int("size") > 1 {
			return 0, fmt.Errorf("groups of %d ranks need a program for all of them", n.Int("size"))
		}
		return 0, nil
	}
	if int64(m.world.ranks)%(n.Int("size")*n.Int("stride")) != 0 {
		return 0, fmt.Errorf("a group of %d ranks, %d apart, among %d", n.Int("size"), n.Int("stride"),
			m.world.ranks)
	}
	return int64(m.rank) / n.Int("stride") % n.Int("size"), nil
}

// exchange gives what each rank of the group brought, in order.
func (m *member) exchange(n *ir.Node, t *tensor.Tensor) ([]*tensor.Tensor, error) {
	index, err := m.index(n)
	if err != nil || m == nil {
		return []*tensor.Tensor{t}, err
	}
	all, err := m.world.meet(m.rank, t)
	if err != nil {
		return nil, err
	}
	group := make([]*tensor.Tensor, n.Int("size"))
	for j := range group {
		group[j] = all[int64(m.rank)+(int64(j)-index)*n.Int("stride")]
	}
	return group, nil
}

func shard(c *call) error {
	index, err := c.rank.index(c.n)
	if err != nil {
		return err
	}
	x, y, axis := c.args[0], c.out[0], c.n.Int("axis")
	inner, size := int64(1), x.Shape[axis]
	for _, d := range x.Shape[axis+1:] {
		inner *= d
	}
	block := (size + c.n.Int("size") - 1) / c.n.Int("size")
	lo := index * block
	count := min(block, size-lo) * inner
	for o := int64(0); o*size*inner < int64(x.Len()); o++ {
		y.Copy(int(o*y.Shape[axis]*inner), x, int((o*size+lo)*inner), int(count))
	}
	return nil
}

func own(c *call) error {
	index, err := c.rank.index(c.n)
	if err == nil && index == 0 {
		c.out[0].Copy(0, c.args[0], 0, c.args[0].Len())
	}
	return err
}

func rebase(c *call) error {
	index, err := c.rank.index(c.n)
	for i, id := range c.args[0].I32 {
		c.out[0].I32[i] = id - int32(index*c.n.Int("step"))
	}
	return err
}

var errRows = errors.New("ranks bring different numbers of rows")

// travelled is what others receive of a tensor.
func travelled(c *call) *tensor.Tensor {
	wire, ok := c.n.Attr("wire")
	if !ok {
		return c.args[0]
	}
	t := *c.args[0]
	t.F32 = append([]float32(nil), t.F32...)
	round(t.F32, wire.DType)
	return &t
}

func round(values []float32, to dtype.Type) {
	for i, v := range values {
		values[i] = tensor.Round(to, v)
	}
}

func allGather(c *call) error {
	group, err := c.rank.exchange(c.n, travelled(c))
	if err != nil {
		return err
	}
	for i, t := range group {
		if t.Len()*len(group) != c.out[0].Len() {
			return errRows
		}
		c.out[0].Copy(i*t.Len(), t, 0, t.Len())
	}
	return nil
}

// summed is the sum over the group, ranks ascending, of block i of the rows.
func summed(c *call, i int64) error {
	group, err := c.rank.exchange(c.n, travelled(c))
	if err != nil {
		return err
	}
	y := c.out[0].F32
	lo := i * int64(len(y))
	for j, t := range group {
		if t.Len() != c.args[0].Len() {
			return errRows
		}
		for e, v := range t.F32[lo : lo+int64(len(y))] {
			if j == 0 {
				y[e] = v
			} else {
				y[e] += v
			}
		}
	}
	if wire, ok := c.n.Attr("wire"); ok {
		round(y, wire.DType)
	}
	return nil
}

func reduceScatter(c *call) error {
	i, err := c.rank.index(c.n)
	if err != nil {
		return err
	}
	return summed(c, i)
}

func allReduce(c *call) error { return summed(c, 0) }
