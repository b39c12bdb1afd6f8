package ranks

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"moge/formats/safetensors"
	"moge/ir"
	"moge/ir/interp"
	"moge/ir/placement"
	"moge/ir/tensor"
	"moge/passes"
	"moge/tests/fixture"
)

const tinyDir = "../testdata/tiny-moge"

// rules pad nothing but the vocabulary, by what fits.
var rules = placement.Rules{Align: 1, VocabAlign: 16, MaxPadding: 0.2}

// checkpoint is tiny-moge in memory.
func checkpoint(t *testing.T) fixture.Memory {
	t.Helper()
	return tensorsOf(t, tinyDir)
}

// tensorsOf reads a checkpoint.
func tensorsOf(t *testing.T, dir string) fixture.Memory {
	t.Helper()
	c, err := safetensors.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	m := fixture.Memory{}
	for _, name := range c.Names() {
		info, _ := c.Tensor(name)
		raw := make([]byte, info.Size)
		if err := c.ReadAt(info, raw, 0); err != nil {
			t.Fatal(err)
		}
		if m[name], err = tensor.FromBytes(info.DType, info.Shape, raw); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// outputs are those of a step, by name.
type outputs = map[string]*tensor.Tensor

// step is tokens of several sequences, and the rows whose logits are wanted.
type step struct{ tokens, positions, sequences, rows []int32 }

// steps are a ragged prompt and two tokens more of some of the sequences.
var steps = []step{
	{[]int32{5, 17, 99, 510, 7, 400, 64, 3, 250}, []int32{0, 0, 1, 2, 1, 3, 0, 2, 1},
		[]int32{0, 1, 1, 1, 0, 1, 2, 0, 2}, []int32{5, 7, 8}},
	{[]int32{11, 12}, []int32{3, 4}, []int32{0, 1}, []int32{0, 1}},
	{[]int32{48}, []int32{2}, []int32{2}, []int32{0}},
}

// alone runs the steps on one rank and returns the outputs of each.
func alone(t *testing.T, g *ir.Graph, w interp.Weights) []outputs {
	t.Helper()
	st := interp.NewState()
	var all []outputs
	for _, s := range steps {
		in := interp.Inputs{Tokens: s.tokens, Positions: s.positions, Sequences: s.sequences, Rows: s.rows}
		out, err := interp.Run(g, in, st, w, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out)
	}
	return all
}

// group is the tokens of one group of attention.
type group struct {
	tokens, positions, sequences []int32
	from                         []int32 // of the step
}

// split deals the tokens of a step to the groups of attention, by sequence, with padding up to what
// the ranks divide; world says in which row of all ranks a token is.
func (s step) split(p placement.Placement) (groups []group, world []int32) {
	groups = make([]group, p.Attn.DP)
	most := 0
	for i, q := range s.sequences {
		g := &groups[int(q)%p.Attn.DP]
		g.tokens, g.positions = append(g.tokens, s.tokens[i]), append(g.positions, s.positions[i])
		g.sequences, g.from = append(g.sequences, q/int32(p.Attn.DP)), append(g.from, int32(i))
		most = max(most, len(g.tokens))
	}
	rows := (most + p.Attn.TP - 1) / p.Attn.TP * p.Attn.TP
	world = make([]int32, len(s.tokens))
	for d := range groups {
		g := &groups[d]
		for at, i := range g.from {
			world[i] = int32(d*rows + at)
		}
		for len(g.tokens) < rows {
			g.tokens, g.positions = append(g.tokens, 0), append(g.positions, 0)
			g.sequences = append(g.sequences, -1)
		}
	}
	return groups, world
}

// together runs the steps on all ranks and returns the outputs of each step in the form of one rank.
func together(t *testing.T, g *ir.Graph, p placement.Placement, w interp.Weights) []outputs {
	t.Helper()
	states := make([]*interp.State, p.Devices)
	for r := range states {
		states[r] = interp.NewState()
	}
	var all []outputs
	for _, s := range steps {
		groups, world := s.split(p)
		rows := make([]int32, len(s.rows))
		for i, r := range s.rows {
			rows[i] = world[r]
		}
		in := make([]interp.RankInputs, p.Devices)
		for r := range in {
			d := groups[p.Attn.DataGroup().Index(r)]
			in[r] = interp.RankInputs{State: states[r], Inputs: interp.Inputs{Tokens: d.tokens,
				Positions: d.positions, Sequences: d.sequences, Rows: rows}}
		}
		out, err := interp.RunRanks(g, in, w, nil)
		if err != nil {
			t.Fatal(p, err)
		}
		all = append(all, merge(out, p, world, int64(passes.PlacementModel(g).Vocabulary)))
	}
	return all
}

// merge is the outputs of ranks as one rank has them.
func merge(out []outputs, p placement.Placement, world []int32, vocabulary int64) outputs {
	merged := outputs{}
	for name, first := range out[0] {
		if name == "logits" {
			merged[name] = mergeLogits(out, p, vocabulary)
			continue
		}
		k := int64(first.Last())
		ids := tensor.New(first.DType, int64(len(world)), k)
		for i, row := range world {
			copy(ids.I32[int64(i)*k:(int64(i)+1)*k], first.I32[int64(row)*k:])
		}
		merged[name] = ids
	}
	return merged
}

// mergeLogits puts the parts of the vocabulary side by side; in these models they divide it, and padding
// is behind them.
func mergeLogits(out []outputs, p placement.Placement, vocabulary int64) *tensor.Tensor {
	rows := out[0]["logits"].Shape[0]
	size, _ := placement.Block(int(vocabulary), p.HeadTP, 1)
	all := tensor.New(out[0]["logits"].DType, rows, vocabulary)
	for i := range p.HeadTP {
		part := out[i]["logits"]
		for l := range rows {
			lo := i * size
			row := all.F32[l*vocabulary:][:vocabulary]
			copy(row[lo:min(int(vocabulary), lo+size)], part.F32[int(l)*part.Last():])
		}
	}
	return all
}

// graphs is a model whole and cut.
func graphs(t *testing.T, o passes.Options, p placement.Placement, replace ...string) (
	whole, cut *ir.Graph) {
	t.Helper()
	primitive := fixture.Graph(t, tinyDir+"/config.json", replace...)
	whole, _, err := passes.Compile(primitive, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Placement, o.PlacementRules, o.Verify = p, rules, true
	cut, _, err = passes.Compile(primitive, o)
	if err != nil {
		t.Fatal(p, err)
	}
	return whole, cut
}

// legal lists placements, with the variants of the tables of the first ones.
func legal(t *testing.T, g *ir.Graph) []placement.Placement {
	t.Helper()
	var list []placement.Placement
	m := passes.PlacementModel(g)
	for _, devices := range []int{2, 4, 8} {
		some := placement.List(m, rules, devices)
		if len(some) == 0 {
			t.Fatalf("no placement on %d ranks", devices)
		}
		tables := some[0]
		tables.EmbedTP, tables.HeadTP = tables.Attn.TP, 2
		list = append(list, append(some, tables)...)
	}
	return slices.Compact(list)
}

// difference is the largest difference of two outputs' elements.
func difference(a, b *tensor.Tensor) (float64, error) {
	if !slices.Equal(a.Shape, b.Shape) {
		return 0, fmt.Errorf("shapes %v and %v", a.Shape, b.Shape)
	}
	d := 0.0
	for i := range a.F32 {
		d = max(d, abs(float64(a.F32[i])-float64(b.F32[i])))
	}
	if math.IsNaN(d) {
		return d, errors.New("an element is no number")
	}
	return d, nil
}

func abs(x float64) float64 { return max(x, -x) }
