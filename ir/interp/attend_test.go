package interp

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// attention is a graph that writes k and v and attends with q, over states of type d.
func attention(t *testing.T, d dtype.Type, heads, kvHeads, width, window int64) *ir.Graph {
	t.Helper()
	b := ir.NewBuilder("attention")
	tokens := shape.Shape{shape.Of(shape.T)}
	rows := func(name string, n int64) *ir.Value {
		return b.Input(name, ir.Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), n, width)))
	}
	q, k, v := rows("q", heads), rows("k", kvHeads), rows("v", kvHeads)
	pos := b.Input("positions", ir.Tensor(dtype.I32, tokens))
	seq := b.Input("sequences", ir.Tensor(dtype.I32, tokens))
	keys := b.Op1(ir.OpKVWrite, "k", b.State("k", d, kvHeads, width), k, pos, seq)
	values := b.Op1(ir.OpKVWrite, "v", b.State("v", d, kvHeads, width), v, pos, seq)
	attrs := []ir.Attr{ir.Float("scale", 0.5)}
	if window > 0 {
		attrs = append(attrs, ir.Int("window", window))
	}
	y := b.Add(ir.OpAttend, "attend", []*ir.Value{q, keys, values, pos, seq}, attrs...)[0]
	b.Output("y", y)
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

type qkv struct {
	q, k, v        []float32
	positions, seq []int32
}

func (x qkv) values(heads, kvHeads, width int64) map[string]*tensor.Tensor {
	n := int64(len(x.positions))
	return map[string]*tensor.Tensor{
		"q": f(d(n, heads, width), x.q...), "k": f(d(n, kvHeads, width), x.k...),
		"v":         f(d(n, kvHeads, width), x.v...),
		"positions": i(d(n), x.positions...), "sequences": i(d(n), x.seq...),
	}
}

func TestAttendIsCausalWithinASequence(t *testing.T) {
	x := qkv{q: []float32{0, 0, 0, 0}, k: []float32{1, 2, 3, 4}, v: []float32{8, 4, 2, 1},
		positions: []int32{1, 0, 0, 2}, seq: []int32{7, 7, 3, 7}}
	for _, c := range []struct {
		window int64
		want   []float32
	}{{0, []float32{6, 4, 2, float32(13) / 3}}, {1, []float32{8, 4, 2, 1}},
		{2, []float32{6, 4, 2, 4.5}}} {
		out, err := RunValues(attention(t, dtype.F32, 1, 1, 1, c.window), x.values(1, 1, 1), nil,
			nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		// a third is rounded in f32 before it meets the values: 13 · 2^-25 at most
		diff, err := tensor.MaxAbsDiff(out["y"], f(d(4, 1, 1), c.want...))
		if err != nil || diff > 14.0/(1<<24) {
			t.Errorf("window %d: %v, want %v", c.window, out["y"].F32, c.want)
		}
	}
}

func TestAttendReadsTheKeyHeadOfItsGroup(t *testing.T) {
	x := qkv{q: make([]float32, 4), k: []float32{0, 0}, v: []float32{10, 20}, positions: []int32{0},
		seq: []int32{0}}
	out, err := RunValues(attention(t, dtype.F32, 4, 2, 1, 0), x.values(4, 2, 1), nil, nil,
		Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := tensor.Diff(out["y"], f(d(1, 4, 1), 10, 10, 20, 20)); diff != "" {
		t.Error(diff)
	}
}

func TestAttendScores(t *testing.T) {
	x := qkv{q: []float32{0, 0, 1, 2}, k: []float32{2, 0, 0, 2}, v: []float32{1, 0, 0, 1},
		positions: []int32{0, 1}, seq: []int32{0, 0}}
	out, err := RunValues(attention(t, dtype.F32, 1, 1, 2, 0), x.values(1, 1, 2), nil, nil,
		Options{})
	if err != nil {
		t.Fatal(err)
	}
	// the second token scores 0.5·2 and 0.5·4, so its weights are e^-1 and 1 over their sum
	e := float32(math.Exp(-1))
	want := f(d(2, 1, 2), 1, 0, e/(e+1), 1/(e+1))
	if diff := tensor.Diff(out["y"], want); diff != "" {
		t.Error(diff)
	}
}

func TestStateRoundsToItsType(t *testing.T) {
	values := []float32{2049, 0.5, -127, 63.5}
	x := qkv{q: make([]float32, 4), k: values, v: values, positions: []int32{5}, seq: []int32{1}}
	for _, c := range []struct {
		d    dtype.Type
		want []float32
	}{
		{dtype.F32, []float32{2049, 0.5, -127, 63.5}},
		{dtype.F16, []float32{2048, 0.5, -127, 63.5}},
		{dtype.BF16, []float32{2048, 0.5, -127, 63.5}},
		{dtype.I8, []float32{127 * (float32(2049) / 127), 0, -127, 64}},
	} {
		st := NewState()
		// one token at position 5 with a window of one: earlier rows are not read
		_, err := RunValues(attention(t, c.d, 2, 2, 2, 1), x.values(2, 2, 2), st, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := st.Row("v", 1, 5); !ok || !slices.Equal(got, c.want) {
			t.Errorf("%v keeps %v, want %v", c.d, got, c.want)
		}
		if _, ok := st.Row("v", 1, 4); ok {
			t.Error("a row appeared that was not written")
		}
	}
}

func TestStateErrors(t *testing.T) {
	at := func(position, sequence int32) qkv {
		return qkv{q: []float32{1}, k: []float32{1}, v: []float32{1}, positions: []int32{position},
			seq: []int32{sequence}}
	}
	for _, c := range []struct {
		x    qkv
		want string
	}{
		{at(2, 0), `attend at "attend": state "k" has no row at position 1 of sequence 0`},
		{at(-1, 0), `kv_write at "k": token 0 is at position -1 of sequence 0`},
		{at(0, -3), `kv_write at "k": token 0 is at position 0 of sequence -3`},
		{at(math.MaxInt32, 0), `attend at "attend": state "k" has no row at position 1 of sequence 0`},
	} {
		st := NewState()
		g := attention(t, dtype.F32, 1, 1, 1, 0)
		if _, err := RunValues(g, at(0, 0).values(1, 1, 1), st, nil, Options{}); err != nil {
			t.Fatal(err)
		}
		_, err := RunValues(g, c.x.values(1, 1, 1), st, nil, Options{})
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if _, ok := st.Row("k", c.x.seq[0], c.x.positions[0]); ok {
			t.Error("a step that failed changed the state")
		}
	}
	st := NewState()
	if _, err := RunValues(attention(t, dtype.F32, 1, 1, 1, 0), at(0, 0).values(1, 1, 1), st, nil,
		Options{}); err != nil {
		t.Fatal(err)
	}
	_, err := RunValues(attention(t, dtype.I8, 1, 1, 1, 0), at(1, 0).values(1, 1, 1), st, nil,
		Options{})
	if want := `state "k" holds state:f32[1,1], the graph wants state:i8[1,1]`; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A state is a value: who attends to the one before a write does not see the write.
func TestStateBeforeAWriteIsUnchanged(t *testing.T) {
	b := ir.NewBuilder("old")
	tokens := shape.Shape{shape.Of(shape.T)}
	x := b.Input("x", ir.Tensor(dtype.F32, shape.Rows(shape.Of(shape.T), 1, 1)))
	pos, seq := b.Input("positions", ir.Tensor(dtype.I32, tokens)),
		b.Input("sequences", ir.Tensor(dtype.I32, tokens))
	first := b.Op1(ir.OpKVWrite, "first", b.State("s", dtype.F32, 1, 1), x, pos, seq)
	second := b.Op1(ir.OpKVWrite, "second", first, b.Op1(ir.OpAdd, "", x, x), pos, seq)
	for at, s := range []*ir.Value{first, second} {
		y := b.Add(ir.OpAttend, "attend", []*ir.Value{x, s, s, pos, seq}, ir.Float("scale", 1))[0]
		b.Output(fmt.Sprint(at), y)
	}
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]*tensor.Tensor{"x": f(d(1, 1, 1), 3), "positions": i(d(1), 0),
		"sequences": i(d(1), 0)}
	st := NewState()
	out, err := RunValues(g, in, st, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	row, _ := st.Row("s", 0, 0)
	if out["0"].F32[0] != 3 || out["1"].F32[0] != 6 || row[0] != 6 {
		t.Errorf("attended to %v and %v, kept %v", out["0"].F32, out["1"].F32, row)
	}
}
