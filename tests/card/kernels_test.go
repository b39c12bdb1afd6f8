package card

import (
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/interp"
	"moge/ir/tensor"
)

// taps are the results of the last step by place, see stored.
type taps struct {
	program *bundlepb.Program
	tensors map[string][]*bundlepb.KernelTensor // of a kernel
	values  map[string]tapped
}

// tapped is a tensor as a kernel left it.
type tapped struct {
	data  any
	pitch int
}

func newTaps(m *bundlepb.Manifest) *taps {
	t := &taps{
		program: m.Programs[0],
		tensors: map[string][]*bundlepb.KernelTensor{},
		values:  map[string]tapped{},
	}
	for _, k := range m.Kernels {
		t.tensors[k.Name] = k.Tensors
	}
	return t
}

// tap is a device.Tap.
func (t *taps) tap(site, op string, results []any) {
	for _, s := range t.program.Steps {
		if s.Site != site || s.Variant != op || s.Op != bundlepb.OpCode_LAUNCH {
			continue
		}
		i := 0
		for j, o := range s.Args {
			k := t.tensors[op][j]
			if k.Role != bundlepb.TensorRole_ROLE_OUT && k.Role != bundlepb.TensorRole_ROLE_IN_OUT {
				continue
			}
			if buffer, ok := o.Kind.(*bundlepb.Operand_Buffer); ok {
				dims := t.program.Buffers[buffer.Buffer].Shape
				t.values[site+" "+k.Name] = tapped{results[i], int(dims[len(dims)-1].Coef)}
			}
			i++
		}
	}
}

// tensor is a tapped value in the shape of the interpreter's; nil if no kernel stored it.
func (t *taps) tensor(key string, like *tensor.Tensor) *tensor.Tensor {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	out := tensor.New(like.DType, like.Shape...)
	cols := 1
	if len(like.Shape) > 1 {
		cols = like.Len() / int(like.Shape[0])
	}
	packed := strings.HasSuffix(key, " order") || strings.HasSuffix(key, " offsets")
	for i := range like.Len() {
		at := i/cols*v.pitch + i%cols
		if packed {
			at = i
		}
		switch data := v.data.(type) {
		case []float32:
			out.F32[i] = data[at]
		case []int32:
			out.I32[i] = data[at]
		case []int8:
			out.I8[i] = data[at]
		}
	}
	return out
}

// element is element j as a number.
func element(t *tensor.Tensor, j int) float64 {
	switch t.DType {
	case dtype.I32:
		return float64(t.I32[j])
	case dtype.I8:
		return float64(t.I8[j])
	}
	return float64(t.F32[j])
}

// follower runs the graph on the interpreter, kernel by kernel.
type follower struct {
	t       *testing.T
	weights weights
	taps    *taps
	consts  map[int]*tensor.Tensor // by value ID
	worst   map[string]worst       // by op and result
	maxV    map[string]float64     // by layer
	jitter  *rand.Rand             // if not nil, results are moved by their bounds
}

// worst is the largest error of a kind of result in parts of its bound.
type worst struct {
	share, off, bound float64
	exact, near       int
}

func newFollower(t *testing.T, c *subject, taps *taps) *follower {
	f := &follower{
		t:       t,
		weights: c.weights,
		taps:    taps,
		consts:  map[int]*tensor.Tensor{},
		worst:   map[string]worst{},
		maxV:    map[string]float64{},
	}
	users := c.graph.Users()
	for _, n := range c.graph.Nodes {
		for _, r := range n.Results {
			for _, u := range users[r.ID] {
				if n.Op == ir.OpAddRMSNorm && u.Op != ir.OpQuantize && u.Op != ir.OpQuantizeStatic {
					readElsewhere[r] = true
				}
			}
		}
	}
	return f
}

// override is interp.Options.Override: it evaluates the node, compares, and goes on with what the kernel
// stored, or, with jitter, with a value at its bound.
func (f *follower) override(n *ir.Node, args []*tensor.Tensor) ([]*tensor.Tensor, bool, error) {
	kept := false
	for i := range n.Results {
		kept = kept || stored(n, i) != ""
	}
	if n.Op == ir.OpSlice && strings.HasSuffix(n.Site, ".v") {
		f.values(n, args)
	}
	if !kept {
		return nil, false, nil
	}
	full := append([]*tensor.Tensor(nil), args...)
	for i, a := range full {
		if a != nil {
			continue
		}
		id := n.Args[i].ID
		if f.consts[id] == nil {
			c, err := interp.Constant(n.Args[i], f.weights)
			if err != nil {
				return nil, false, err
			}
			f.consts[id] = c
		}
		full[i] = f.consts[id]
	}
	var declared []ir.Type
	results, err := interp.Eval(n.Op, full, n.Attrs, declared)
	if err != nil {
		return nil, false, err
	}
	b := bounds{node: n, args: full, maxV: f.maxV[layerOf(n.Site)]}
	for i, want := range results {
		results[i] = f.settle(n, i, b, want)
	}
	return results, true, nil
}

func layerOf(site string) string {
	parts := strings.SplitN(site, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// values remembers the largest magnitude among the values of a layer.
func (f *follower) values(n *ir.Node, args []*tensor.Tensor) {
	for _, x := range args[0].F32 {
		f.maxV[layerOf(n.Site)] = max(f.maxV[layerOf(n.Site)], math.Abs(float64(x)))
	}
}

func (f *follower) settle(n *ir.Node, i int, b bounds, want *tensor.Tensor) *tensor.Tensor {
	key := stored(n, i)
	if f.jitter != nil {
		return f.moved(n, i, b, want)
	}
	got := f.taps.tensor(key, want)
	if got == nil {
		if key != "" && (n.Op != ir.OpAddRMSNorm || readElsewhere[n.Results[i]]) {
			f.t.Errorf("no kernel stored %s", key)
		}
		return want
	}
	kind := n.Op.String()
	if n.Op == ir.OpCast {
		kind = n.Args[0].Def.Op.String()
	}
	kind += key[strings.LastIndex(key, " "):]
	w := f.worst[kind]
	for j := range want.Len() {
		x, y := element(want, j), element(got, j)
		limit := b.of(i, j, x)
		off := math.Abs(x - y)
		if limit == 0 {
			w.exact++
		} else {
			w.near++
			if off/limit > w.share || w.bound == 0 {
				w.share, w.off, w.bound = off/limit, off, limit
			}
		}
		if !(off <= limit) {
			f.t.Fatalf("%s: element %d of %v is %v, want %v within %v", key, j, want.Shape, y, x, limit)
		}
	}
	f.worst[kind] = w
	return got
}

// moved is a result at its bound, in a random direction.
func (f *follower) moved(n *ir.Node, i int, b bounds, want *tensor.Tensor) *tensor.Tensor {
	if want.DType == dtype.I32 || want.DType == dtype.I8 || n.Op == ir.OpQuantize || n.Op == ir.OpLinear {
		return want
	}
	out := tensor.New(want.DType, want.Shape...)
	for j := range out.F32 {
		x := float64(want.F32[j])
		by := b.of(i, j, x)
		if f.jitter.IntN(2) == 0 {
			by = -by
		}
		out.F32[j] = float32(x + by)
		if isHalf(n, i) {
			out.F32[j] = tensor.Round(dtype.F16, out.F32[j])
		}
	}
	return out
}

// report prints what was compared and the largest errors beside their bounds.
func (f *follower) report() {
	var kinds []string
	for k := range f.worst {
		kinds = append(kinds, k)
	}
	sort.Strings(kinds)
	for _, k := range kinds {
		w := f.worst[k]
		f.t.Logf(
			"%-28s %8d equal, %8d within bounds, largest error %.3g of bound %.3g",
			k,
			w.exact,
			w.near,
			w.off,
			w.bound,
		)
	}
}
