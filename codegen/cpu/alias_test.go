package cpu

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"moge/codegen"
	"moge/formats/bundle/bundlepb"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/passes"
	"moge/quant"
	"moge/runtime/device"
)

// shadow follows, for each line of an arena, which value was written there last.
type shadow struct {
	t       *testing.T
	program *bundlepb.Program
	limits  codegen.Limits
	lines   []int
}

const lineBytes = 64

func (s *shadow) span(buffer uint32) (lo, hi int64) {
	b := s.program.Buffers[buffer]
	var dims []int64
	for _, d := range b.Shape {
		n := d.Coef
		switch d.Scalar {
		case bundlepb.Scalar_T:
			n *= (s.limits.BatchTokens + max(1, d.Div) - 1) / max(1, d.Div)
		case bundlepb.Scalar_L:
			n *= (s.limits.LogitsRows + max(1, d.Div) - 1) / max(1, d.Div)
		}
		dims = append(dims, n)
	}
	size := device.BufferBytes(dtype.Type(b.Dtype), dims)
	return int64(b.Offset) / lineBytes, (int64(b.Offset) + size + lineBytes - 1) / lineBytes
}

func (s *shadow) write(buffer uint32, value int) {
	lo, hi := s.span(buffer)
	for i := lo; i < hi; i++ {
		s.lines[i] = value
	}
}

func (s *shadow) read(where string, buffer uint32, value int) {
	s.t.Helper()
	lo, hi := s.span(buffer)
	for i := lo; i < hi; i++ {
		if s.lines[i] != value {
			s.t.Fatalf("%s reads value %d from buffer %d, where value %d was written over it", where, value,
				buffer, s.lines[i])
		}
	}
}

// checkMemory runs a plan on the shadow beside its graph: every operand must still be what
// the graph says it is when it is read, and no step may write over what it reads.
func checkMemory(t *testing.T, g *ir.Graph, limits codegen.Limits) {
	t.Helper()
	p, err := Build(g, limits)
	if err != nil {
		t.Fatal(err)
	}
	program := p.Manifest.Programs[0]
	s := &shadow{t, program, limits, make([]int, program.ArenaBytes/lineBytes)}
	origin := make([]int, g.Values()) // the value whose memory each value is a view of
	constant := g.Constants()
	inputs, step := 0, 0
	for _, n := range g.Nodes {
		if n.Op == ir.OpInput { // all are written before the first step
			s.write(program.Inputs[inputs].Buffer, n.Result().ID)
			inputs++
		}
	}
	for _, n := range g.Nodes {
		for _, r := range n.Results {
			origin[r.ID] = r.ID
		}
		switch {
		case constant[n.Results[0].ID] || n.Op == ir.OpInput || n.Op == ir.OpState:
			continue
		case n.Op == ir.OpReshape || n.Op == ir.OpObserve:
			origin[n.Results[0].ID] = origin[n.Args[0].ID]
			continue
		}
		s.step(program.Steps[step], n, origin, constant)
		step++
	}
	for i, o := range g.Outputs {
		s.read("output "+o.Name, program.Outputs[i].Buffer, origin[o.Value.ID])
	}
	if step != len(program.Steps) || inputs != len(program.Inputs) {
		t.Fatalf("%d of %d steps and %d of %d inputs met", step, len(program.Steps), inputs, len(program.Inputs))
	}
}

func (s *shadow) step(c *bundlepb.Step, n *ir.Node, origin []int, constant []bool) {
	s.t.Helper()
	where := fmt.Sprintf("%v at %s", n.Op, n.Site)
	var wanted []int
	for _, a := range n.Args {
		if !constant[a.ID] && !a.Type.State {
			wanted = append(wanted, origin[a.ID])
		}
	}
	var read []uint32
	for _, o := range c.Args {
		if b, ok := o.Kind.(*bundlepb.Operand_Buffer); ok {
			read = append(read, b.Buffer)
		}
	}
	if len(read) != len(wanted) {
		s.t.Fatalf("%s reads %d buffers, the node %d values", where, len(read), len(wanted))
	}
	for i, r := range c.Results {
		s.write(r.GetBuffer(), n.Results[i].ID)
	}
	for i, b := range read { // after the writes: a kernel may write before it has read all
		s.read(where, b, wanted[i])
	}
	for i, r := range c.Results {
		s.read(where+", its result,", r.GetBuffer(), n.Results[i].ID)
	}
}

func TestNoBufferIsWrittenOverInModels(t *testing.T) {
	dirs, err := filepath.Glob("../../tests/testdata/families/*")
	if err != nil || len(dirs) < 5 {
		t.Fatalf("families %v, %v", dirs, err)
	}
	for _, dir := range dirs {
		cfg, err := hf.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := safetensors.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		g, _, err := models.Build(cfg, models.FromCheckpoint(c))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"none", "w8a8-dynamic", "w8a16"} {
			scheme, err := quant.ParseScheme(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, off := range passSets() {
				compiled, _, err := passes.Compile(g, passes.Options{Scheme: scheme, Off: off})
				if err != nil {
					t.Fatal(err)
				}
				checkMemory(t, compiled, codegen.Limits{BatchTokens: 7, Seqs: 2, Context: 32, LogitsRows: 3})
			}
		}
	}
}

// passSets are none, each and all of the passes that can be left out.
func passSets() [][]string {
	sets := [][]string{nil}
	var all []string
	for _, p := range passes.List() {
		if !p.Required {
			sets, all = append(sets, []string{p.Name}), append(all, p.Name)
		}
	}
	return append(sets, all)
}

// randomSteps is a graph of views and cheap ops over rows of eight; inputs may stand
// anywhere, and any value may be an output.
func randomSteps(seed uint64) *ir.Graph {
	r := rand.New(rand.NewPCG(seed, 8))
	b := ir.NewBuilder("random")
	flat := shape.Rows(shape.Of(shape.T), 8)
	pool := []*ir.Value{b.Input("x0", ir.Tensor(dtype.F32, flat))}
	pick := func() *ir.Value { return pool[r.IntN(len(pool))] }
	for i := range 3 + r.IntN(30) {
		site := fmt.Sprint(i)
		switch r.IntN(8) {
		case 0:
			pool = append(pool, b.Input("late"+site, ir.Tensor(dtype.F32, flat)))
		case 1:
			split := b.Reshape(site, pick(), shape.Rows(shape.Of(shape.T), 2, 4))
			pool = append(pool, b.Reshape(site, b.Op1(ir.OpSiLU, site, split), flat))
		case 2:
			pool = append(pool, b.Op1(ir.OpObserve, site, pick()))
		case 3:
			half := b.Slice(site, pick(), 1, 2, 6)
			pool = append(pool, b.Add(ir.OpConcat, site, []*ir.Value{half, half}, ir.Int("axis", 1))...)
		case 4:
			pool = append(pool, b.Reshape(site, pick(), flat))
		default:
			pool = append(pool, b.Op1(ir.OpAdd, site, pick(), pick()))
		}
	}
	for i, v := range pool {
		if i == len(pool)-1 || r.IntN(6) == 0 {
			b.Output(fmt.Sprint("y", i), v)
		}
	}
	return b.Graph
}

func TestNoBufferIsWrittenOverInRandomGraphs(t *testing.T) {
	for seed := range uint64(1500) {
		g := randomSteps(seed)
		if err := ir.Verify(g); err != nil {
			t.Fatal(err)
		}
		checkMemory(t, g, codegen.Limits{BatchTokens: 9, Seqs: 2, Context: 32, LogitsRows: 3})
	}
}
