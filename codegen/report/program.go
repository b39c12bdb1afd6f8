package report

import "fmt"

// Block is a run of steps of one layer, or of several layers with the same steps, or of none.
type Block struct {
	Name   string `json:"name"`
	Layer  int    `json:"layer"`  // the first; -1 outside of layers
	Repeat int    `json:"repeat"` // layers that are alike
	Ops    []Op   `json:"ops"`    // of one of them
}

// Op is a step of the program. Bytes are those that it moves in the report's step on one rank, if every
// operand goes to memory.
type Op struct {
	Step        int    `json:"step"` // index in the program
	Op          string `json:"op"`
	Kernel      string `json:"kernel,omitempty"`
	Site        string `json:"site"` // without the layer
	Part        string `json:"part"`
	Result      string `json:"result,omitempty"` // type of the first
	Weights     int64  `json:"weight_bytes"`
	Activations int64  `json:"activation_bytes"`
	Cache       int64  `json:"cache_bytes"`
	MACs        int64  `json:"multiply_adds"`  // of products and attention
	Int8        bool   `json:"int8,omitempty"` // they are of int8
	// Idle says that it has nothing to do in a step that decodes.
	Idle       bool        `json:"idle,omitempty"`
	Seconds    *float64    `json:"seconds,omitempty"`
	Bound      string      `json:"bound,omitempty"`
	Collective *Collective `json:"collective,omitempty"`
	From       []Edge      `json:"from"`
	Outputs    []string    `json:"outputs,omitempty"` // of the program
	Leaves     bool        `json:"leaves,omitempty"`  // another block reads a result
}

// Bytes is the sum of what the op moves.
func (o *Op) Bytes() int64 { return plus(o.Weights, plus(o.Activations, o.Cache)) }

// Title is the kernel, or the op-code of what has none.
func (o *Op) Title() string {
	if o.Kernel != "" {
		return o.Kernel
	}
	return o.Op
}

// Edge is where something that an op reads was written.
type Edge struct {
	Op   int    `json:"op"`             // index in the block; -1 if it is not in it
	From string `json:"from,omitempty"` // then: by what
}

func (o *Op) predict(t *Timing) {
	if t == nil || o.Idle {
		return
	}
	if seconds, bound, ok := t.Of(o); ok {
		o.Seconds, o.Bound = &seconds, bound
	}
}

// blocks folds the program and sums up its parts.
func (w *walk) blocks(timing *Timing) ([]Block, []Total) {
	ops := make([]Op, len(w.program.Steps))
	layers := make([]int, len(ops))
	for i, s := range w.program.Steps {
		layers[i], _ = LayerOf(s.Site)
		ops[i] = w.op(i)
		ops[i].predict(timing)
	}
	w.connect(ops, layers)
	return fold(ops, layers), totals(ops)
}

// fold joins neighbouring layers with the same steps; the second of them, which gets what the others
// get, stands for all.
func fold(ops []Op, layers []int) []Block {
	var runs [][2]int
	for i := range ops {
		if i == 0 || layers[i] != layers[i-1] {
			runs = append(runs, [2]int{i, i})
		}
		runs[len(runs)-1][1] = i + 1
	}
	blocks := []Block{}
	for i := 0; i < len(runs); {
		lo, hi := runs[i][0], runs[i][1]
		same := 1
		for layers[lo] >= 0 && i+same < len(runs) {
			next := runs[i+same]
			if layers[next[0]] != layers[lo]+same || !alike(ops[lo:hi], ops[next[0]:next[1]]) {
				break
			}
			same++
		}
		b := Block{Layer: layers[lo], Repeat: same}
		shown := runs[i+min(1, same-1)]
		b.Ops = local(ops[shown[0]:shown[1]], shown[0])
		i += same
		b.name(i == len(runs), len(blocks) == 0)
		blocks = append(blocks, b)
	}
	return blocks
}

// alike reports whether two layers have the same steps with the same sizes.
func alike(a, b []Op) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.Title() != y.Title() || x.Site != y.Site || x.Result != y.Result || x.Bytes() != y.Bytes() {
			return false
		}
	}
	return true
}

// local makes edges those of a block that begins at a step.
func local(ops []Op, first int) []Op {
	for i := range ops {
		for j := range ops[i].From {
			if e := &ops[i].From[j]; e.From == "" {
				e.Op -= first
			}
		}
	}
	return ops
}

func totals(ops []Op) []Total {
	list := []Total{}
	for _, part := range Parts() {
		t, seconds, timed, there := Total{Part: part}, 0.0, false, false
		for i := range ops {
			if ops[i].Part != part {
				continue
			}
			there = true
			t.Bytes = plus(t.Bytes, ops[i].Bytes())
			if s := ops[i].Seconds; s != nil {
				seconds, timed = seconds+*s, true
			}
		}
		if timed {
			t.Seconds = &seconds
		}
		if there {
			list = append(list, t)
		}
	}
	return list
}

// name says which layers a block is.
func (b *Block) name(last, first bool) {
	switch {
	case b.Layer >= 0 && b.Repeat == 1:
		b.Name = fmt.Sprintf("layer %d", b.Layer)
	case b.Layer >= 0:
		b.Name = fmt.Sprintf("layers %d to %d", b.Layer, b.Layer+b.Repeat-1)
	case first:
		b.Name = "before the layers"
	case last:
		b.Name = "after the layers"
	default:
		b.Name = "between layers"
	}
}
