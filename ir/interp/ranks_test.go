package interp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

type tensors = map[string]*tensor.Tensor

// onRanks runs a graph on several ranks, each with its values.
func onRanks(g *ir.Graph, values []tensors, w Weights) ([]tensors, error) {
	outputs := make([]tensors, len(values))
	err := onEach(len(values), func(m *member) (err error) {
		outputs[m.rank], err = RunValues(g, values[m.rank], nil, w, Options{rank: m})
		return err
	})
	return outputs, err
}

// onAllRanks runs a graph on as many ranks as its groups need, all with the same values, and gives
// the outputs of the first.
func onAllRanks(g *ir.Graph, values tensors, w Weights) (tensors, error) {
	ranks := int64(1)
	for _, n := range g.Nodes {
		ranks = max(ranks, n.Int("size")*n.Int("stride"))
	}
	outputs, err := onRanks(g, slices.Repeat([]tensors{values}, int(ranks)), w)
	if err != nil {
		return nil, err
	}
	return outputs[0], nil
}

// rankCase is an op on ranks: what each brings and gets.
type rankCase struct {
	name  string
	op    ir.Op
	attrs []ir.Attr
	args  list // of each rank
	want  list // of each rank
}

func grouped(size, stride int64, more ...ir.Attr) []ir.Attr {
	return append([]ir.Attr{ir.Int("size", size), ir.Int("stride", stride)}, more...)
}

func same(n int, t *tensor.Tensor) list { return slices.Repeat(list{t}, n) }

var rankCases = []rankCase{
	{"blocks of rows, the last one shorter and padded", ir.OpShard,
		grouped(2, 1, ir.Int("axis", 0), ir.Int("align", 4)), same(2, f(d(5, 1), 1, 2, 3, 4, 5)),
		list{f(d(4, 1), 1, 2, 3, 0), f(d(4, 1), 4, 5, 0, 0)}},
	{"blocks of columns of strided groups", ir.OpShard, grouped(2, 2, ir.Int("axis", 1)),
		same(4, i(d(2, 2), 1, 2, 3, 4)),
		list{i(d(2, 1), 1, 3), i(d(2, 1), 1, 3), i(d(2, 1), 2, 4), i(d(2, 1), 2, 4)}},
	{"an index instead of the rank's own", ir.OpShard, grouped(2, 1, ir.Int("axis", 0), ir.Int("index", 1)),
		same(1, f(d(2), 1, 2)), list{f(d(1), 2)}},
	{"a bias counts once", ir.OpOwn, grouped(2, 1), same(4, f(d(2), 1, 2)),
		list{f(d(2), 1, 2), f(d(2), 0, 0), f(d(2), 1, 2), f(d(2), 0, 0)}},
	{"ids of a rank's experts", ir.OpRebase, grouped(2, 2, ir.Int("step", 8)), same(4, i(d(1, 2), 9, 17)),
		list{i(d(1, 2), 9, 17), i(d(1, 2), 9, 17), i(d(1, 2), 1, 9), i(d(1, 2), 1, 9)}},
	{"rows of strided groups", ir.OpAllGather, grouped(2, 2),
		list{i(d(1), 1), i(d(1), 2), i(d(1), 3), i(d(1), 4)},
		list{i(d(2), 1, 3), i(d(2), 2, 4), i(d(2), 1, 3), i(d(2), 2, 4)}},
	{"rows rounded on the way", ir.OpAllGather, grouped(2, 1, ir.DType("wire", dtype.F16)),
		list{f(d(1), 1+1.0/4096), f(d(1), 2)}, same(2, f(d(2), 1, 2))},
	{"blocks of sums", ir.OpReduceScatter, grouped(2, 1), list{f(d(2), 1, 2), f(d(2), 10, 20)},
		list{f(d(1), 11), f(d(1), 22)}},
	// In halves 2048+1 is 2048; the terms are rounded first, so that 0.4999 more does not help.
	{"sums rounded on the way", ir.OpReduceScatter, grouped(2, 1, ir.DType("wire", dtype.F16)),
		list{f(d(2), 2048, 1), f(d(2), 1, 1+1.0/4096)}, list{f(d(1), 2048), f(d(1), 2)}},
	// f32 sums in ascending order: (1e8+1)-1e8 is 0.
	{"sums in order of the ranks", ir.OpAllReduce, grouped(3, 1),
		list{f(d(1), 1e8), f(d(1), 1), f(d(1), -1e8)},
		same(3, f(d(1), 0))},
}

func TestRankOps(t *testing.T) {
	for _, c := range rankCases {
		b := ir.NewBuilder("ranks")
		x := b.Input("x", ir.Tensor(c.args[0].DType, shape.Make(c.args[0].Shape...)))
		b.Output("y", b.Add(c.op, "", []*ir.Value{x}, c.attrs...)[0])
		g, err := b.Finish()
		if err != nil {
			t.Fatal(c.name, err)
		}
		var values []map[string]*tensor.Tensor
		for _, a := range c.args {
			values = append(values, map[string]*tensor.Tensor{"x": a})
		}
		got, err := onRanks(g, values, nil)
		if err != nil {
			t.Fatal(c.name, err)
		}
		for r := range got {
			if diff := tensor.Diff(got[r]["y"], c.want[r]); diff != "" {
				t.Errorf("%s, rank %d: %s", c.name, r, diff)
			}
		}
	}
}

// A rank that fails does not leave the others waiting, and it is its error that comes back.
func TestRankFails(t *testing.T) {
	g, err := ir.Parse("g", `moge.ir 1
graph "g"
%0 = input() {name="tokens"} : i32[T]
%1 = input() {name="positions"} : i32[T]
%2 = input() {name="sequences"} : i32[T]
%3 = input() {name="rows"} : i32[L]
%4 = weight() {name="w"} : f32[2,1]
%5 = embed(%0, %4) @embed : f32[T,1]
%6 = all_reduce(%5) {size=3, stride=1} @embed : f32[T,1]
output "y" = %6
`)
	if err != nil {
		t.Fatal(err)
	}
	in := make([]RankInputs, 3)
	for r := range in {
		in[r].Tokens, in[r].Positions, in[r].Sequences = []int32{int32(r)}, []int32{0}, []int32{0}
	}
	_, err = RunRanks(g, in, oneWeight{f(d(2, 1), 1, 2)}, nil)
	if want := `rank 2: embed at "embed": token 0 is 2, want 0 to 1`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = Run(g, in[0].Inputs, nil, oneWeight{f(d(2, 1), 1, 2)}, Options{})
	if err == nil || !strings.Contains(err.Error(), "groups of 3 ranks need a program for all of them") {
		t.Error(err)
	}
	_, err = RunRanks(g, in[:2], oneWeight{f(d(2, 1), 1, 2)}, nil)
	if err == nil || !strings.Contains(err.Error(), "a group of 3 ranks, 1 apart, among 2") {
		t.Error(err)
	}
	in = append(in, RankInputs{Inputs: in[0].Inputs}) // a group of three and one of one
	_, err = RunRanks(g, in, oneWeight{f(d(2, 1), 1, 2)}, nil)
	if err == nil || !strings.Contains(err.Error(), "a group of 3 ranks, 1 apart, among 4") {
		t.Error(err)
	}
	if err := firstFailure([]error{nil, fmt.Errorf("x: %w", errAborted)}); !errors.Is(err, errAborted) {
		t.Error(err)
	}
}

type oneWeight struct{ t *tensor.Tensor }

func (w oneWeight) Weight(string) (*tensor.Tensor, error) { return w.t, nil }

// Padding rows leave no trace: the cache and the other rows are as without them.
func TestPaddingRows(t *testing.T) {
	g, err := ir.Parse("g", `moge.ir 1
graph "g"
%0 = input() {name="x"} : f32[T,1,2]
%1 = input() {name="positions"} : i32[T]
%2 = input() {name="sequences"} : i32[T]
%3 = state() {name="k"} : state:f32[1,2]
%4 = kv_write(%3, %0, %1, %2) @a : state:f32[1,2]
%5 = attend(%0, %4, %4, %1, %2) {scale=1} @a : f32[T,1,2]
output "y" = %5
`)
	if err != nil {
		t.Fatal(err)
	}
	run := func(rows int64, x *tensor.Tensor, sequences ...int32) (*tensor.Tensor, *State) {
		st := NewState()
		values := tensors{"x": x, "positions": tensor.FromI32(make([]int32, rows), rows),
			"sequences": tensor.FromI32(sequences, rows)}
		out, err := RunValues(g, values, st, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return out["y"], st
	}
	alone, st := run(1, f(d(1, 1, 2), 3, 4), 0)
	padded, after := run(2, f(d(2, 1, 2), 3, 4, 5, 6), 0, padding)
	if diff := tensor.Diff(padded, f(d(2, 1, 2), alone.F32[0], alone.F32[1], 0, 0)); diff != "" {
		t.Error(diff)
	}
	if _, ok := after.Row("k", padding, 0); ok || len(after.slots["k"].rows) != len(st.slots["k"].rows) {
		t.Error("padding was stored")
	}
}
