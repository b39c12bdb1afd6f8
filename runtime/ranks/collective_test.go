package ranks

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/runtime/comm"
	"moge/runtime/device"
)

// seen is what each rank's steps gave, by site.
type seen struct {
	mu    sync.Mutex
	ranks []map[string][]any
}

func (s *seen) tap(rank int) device.Tap {
	return func(site, _ string, results []any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ranks[rank][site] = results
	}
}

// runOnce runs one step of n tokens of the first sequence, and more of the others, and gives what was seen.
func runOnce(t *testing.T, w *writer, sequences ...int32) []map[string][]any {
	t.Helper()
	s := &seen{}
	for range w.ranks {
		s.ranks = append(s.ranks, map[string][]any{})
	}
	r := load(t, w.open(), nil, device.Options{RankTap: s.tap})
	fillMemory(t, r)
	b := feed(r, sequences, tokenOf(1))
	b.Rows = nil
	if err := r.Run(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s.ranks
}

// fillMemory leaves values of the largest step in all buffers, so that rows which a step does not write
// are noticed.
func fillMemory(t *testing.T, r device.Runner) {
	t.Helper()
	b := feed(r, []int32{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}, func(t int) int32 { return int32(t * 3 % 8) })
	b.Rows = nil
	if err := r.Run(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for q := range 4 {
		if err := r.Truncate(q, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// site renames the last step.
func (w *writer) site(name string) { w.program.Steps[len(w.program.Steps)-1].Site = name }

const columns = 6

// operands are rows of each type that differ from rank to rank: sites x, q and ids.
func (w *writer) operands() (tokens, x, q, ids value) {
	rows := w.rows(w.tp)
	tokens = w.input("tokens", rows)
	x, q = w.buffer(dtype.F32, rows, shape.Fixed(columns)), w.buffer(dtype.I8, rows, shape.Fixed(columns))
	ids = w.buffer(dtype.I32, rows, shape.Fixed(2))
	table := w.floats("table", "row", vocabulary, columns, func(rank, i, j int) float32 {
		return random(rank, i, j) * 1000
	})
	scales, best := w.buffer(dtype.F32, rows), w.buffer(dtype.F32, rows, shape.Fixed(2))
	w.step(bundlepb.OpCode_EMBED, []value{tokens, table}, []value{x})
	w.site("x")
	w.step(bundlepb.OpCode_QUANTIZE_DYNAMIC, []value{x}, []value{q, scales})
	w.site("q")
	w.step(bundlepb.OpCode_TOP_K, []value{x}, []value{best, ids}, "k", 2)
	w.site("best")
	return tokens, x, q, ids
}

var groups = map[int][]comm.Group{
	2: {{Size: 2, Stride: 1}, {Size: 1, Stride: 1}, {Size: 1, Stride: 2}},
	4: {{Size: 4, Stride: 1}, {Size: 2, Stride: 1}, {Size: 2, Stride: 2}, {Size: 1, Stride: 1}},
}

// eachGroup calls fn for every group of 2 and 4 ranks, and different numbers of tokens.
func eachGroup(t *testing.T, fn func(t *testing.T, w *writer, g comm.Group, sequences []int32)) {
	for _, tp := range []int{2, 4} {
		for _, g := range groups[tp] {
			for _, n := range []int{1, 5, 8} {
				t.Run(fmt.Sprintf("%d ranks, %v, %d tokens", tp, g, n), func(t *testing.T) {
					fn(t, newWriter(t, 1, tp), g, make([]int32, n))
				})
			}
		}
	}
}

// gathered are the elements of all members.
func gathered[E any](ranks []map[string][]any, g comm.Group, rank int, site string, result int) []E {
	var all []E
	for _, r := range g.Members(rank) {
		all = append(all, ranks[r][site][result].([]E)...)
	}
	return all
}

func wantSeen(t *testing.T, rank int, site string, got []any, want any) {
	t.Helper()
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("rank %d, %s:\n%v\nwant\n%v", rank, site, got[0], want)
	}
}

func TestAllGather(t *testing.T) {
	eachGroup(t, func(t *testing.T, w *writer, g comm.Group, sequences []int32) {
		_, x, q, ids := w.operands()
		for _, c := range []struct {
			site  string
			from  value
			dtype dtype.Type
			attrs []any
		}{{"f32", x, dtype.F32, nil}, {"i8", q, dtype.I8, nil}, {"i32", ids, dtype.I32, nil},
			{"wire f32", x, dtype.F32, []any{"wire", "f32"}}, {"wire f16", x, dtype.F32, []any{"wire", "f16"}}} {
			s := slices.Clone(c.from.shape)
			s[0] = w.rows(w.tp * g.Size)
			y := w.buffer(c.dtype, s...)
			w.step(bundlepb.OpCode_ALL_GATHER, []value{c.from}, []value{y},
				append(c.attrs, "size", g.Size, "stride", g.Stride)...)
			w.site(c.site)
		}
		ranks := runOnce(t, w, sequences...)
		for r, s := range ranks {
			x := gathered[float32](ranks, g, r, "x", 0)
			wantSeen(t, r, "f32", s["f32"], x)
			wantSeen(t, r, "wire f32", s["wire f32"], x)
			wantSeen(t, r, "wire f16", s["wire f16"], rounded(dtype.F16, x))
			wantSeen(t, r, "i8", s["i8"], gathered[int8](ranks, g, r, "q", 0))
			wantSeen(t, r, "i32", s["i32"], gathered[int32](ranks, g, r, "best", 1))
		}
	})
}

func rounded(d dtype.Type, x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = tensor.Round(d, v)
	}
	return out
}

// summed is the sum of the members, in their order, each rounded to the wire's type as the sum is.
func summed(ranks []map[string][]any, g comm.Group, rank int, wire dtype.Type) []float32 {
	var sum []float32
	for i, r := range g.Members(rank) {
		x := rounded(wire, ranks[r]["x"][0].([]float32))
		if i == 0 {
			sum = x
			continue
		}
		for j, v := range x {
			sum[j] += v
		}
	}
	return rounded(wire, sum)
}

func TestReduce(t *testing.T) {
	wires := []dtype.Type{dtype.F32, dtype.F16, dtype.BF16}
	eachGroup(t, func(t *testing.T, w *writer, g comm.Group, sequences []int32) {
		_, x, _, _ := w.operands()
		for _, wire := range wires {
			attrs := []any{"size", g.Size, "stride", g.Stride, "wire", wire.String()}
			whole, part := w.buffer(
				dtype.F32,
				x.shape...), w.buffer(
				dtype.F32,
				w.rows(w.tp/g.Size),
				x.shape[1],
			)
			w.step(bundlepb.OpCode_ALL_REDUCE, []value{x}, []value{whole}, attrs...)
			w.site("all " + wire.String())
			w.step(bundlepb.OpCode_REDUCE_SCATTER, []value{x}, []value{part}, attrs...)
			w.site("part " + wire.String())
		}
		ranks := runOnce(t, w, sequences...)
		for r, s := range ranks {
			for _, wire := range wires {
				sum := summed(ranks, g, r, wire)
				n := len(sum) / g.Size
				wantSeen(t, r, "all", s["all "+wire.String()], sum)
				wantSeen(t, r, "part", s["part "+wire.String()], sum[g.Index(r)*n:][:n])
			}
		}
	})
}

func TestShard(t *testing.T) {
	eachGroup(t, func(t *testing.T, w *writer, g comm.Group, sequences []int32) {
		tokens, x, q, ids := w.operands()
		for i, from := range []value{x, q, ids, tokens} {
			d := dtype.Type(w.program.Buffers[from.operand.GetBuffer()].Dtype)
			for axis := range min(len(from.shape), 2) {
				s := slices.Clone(from.shape)
				if s[axis].Coef%int64(g.Size) != 0 {
					continue
				}
				s[axis].Coef /= int64(g.Size)
				y := w.buffer(d, s...)
				w.step(bundlepb.OpCode_SHARD, []value{from}, []value{y}, "axis", axis, "size", g.Size,
					"stride", g.Stride)
				w.site(fmt.Sprint(i, axis))
			}
		}
		rows := (len(sequences) + w.tp - 1) / w.tp * w.tp
		for r, s := range runOnce(t, w, sequences...) {
			index := g.Index(r)
			block(t, r, s["0 0"], s["x"][0].([]float32), 1, g.Size, index)
			block(t, r, s["1 0"], s["q"][0].([]int8), 1, g.Size, index)
			block(t, r, s["2 0"], s["best"][1].([]int32), 1, g.Size, index)
			block(t, r, s["0 1"], s["x"][0].([]float32), rows, g.Size, index)
			block(t, r, s["1 1"], s["q"][0].([]int8), rows, g.Size, index)
			block(t, r, s["2 1"], s["best"][1].([]int32), rows, g.Size, index)
			if len(s["3 0"][0].([]int32)) != rows/g.Size {
				t.Errorf("%d tokens of %d", len(s["3 0"][0].([]int32)), rows)
			}
		}
	})
}

// block compares with block index of size, in each of rows pieces; a nil got is an axis that has none.
func block[E any](t *testing.T, rank int, got []any, x []E, rows, size, index int) {
	t.Helper()
	if got == nil {
		return
	}
	var want []E
	for row := range slices.Chunk(x, len(x)/rows) {
		n := len(row) / size
		want = append(want, row[index*n:][:n]...)
	}
	wantSeen(t, rank, "shard", got, want)
}

func TestRebaseAndEmbedOutside(t *testing.T) {
	eachGroup(t, func(t *testing.T, w *writer, g comm.Group, sequences []int32) {
		const step = 4
		tokens, _, _, ids := w.operands()
		local, far := w.buffer(dtype.I32, tokens.shape...), w.buffer(dtype.I32, ids.shape...)
		attrs := []any{"size", g.Size, "stride", g.Stride}
		w.step(bundlepb.OpCode_REBASE, []value{tokens}, []value{local}, append(attrs, "step", step)...)
		w.step(bundlepb.OpCode_REBASE, []value{ids}, []value{far}, append(attrs, "step", 1<<31/g.Size-1)...)
		w.site("far")
		part := w.floats("part", "row", step, columns, func(rank, i, j int) float32 {
			return float32(g.Index(rank)*step+i)*columns + float32(j)
		})
		x := w.buffer(dtype.F32, tokens.shape[0], shape.Fixed(columns))
		w.step(bundlepb.OpCode_EMBED, []value{local, part}, []value{x}, "outside", 1)
		w.site("part")
		for r, s := range runOnce(t, w, sequences...) {
			index := g.Index(r)
			var want []int32
			for _, v := range s["best"][1].([]int32) {
				want = append(want, v-int32(index*(1<<31/g.Size-1)))
			}
			wantSeen(t, r, "far", s["far"], want)
			rows := s["part"][0].([]float32)
			for i, v := range s["rebase"][0].([]int32) {
				token := int32(0)
				if i < len(sequences) {
					token = tokenOf(1)(i)
				}
				if v != token-int32(index*step) {
					t.Errorf("rank %d: token %d becomes %d", r, token, v)
				}
				for j, e := range rows[i*columns:][:columns] {
					if want := float32(token)*columns + float32(j); v >= 0 && v < step && e != want ||
						(v < 0 || v >= step) && e != 0 {
						t.Errorf("rank %d: token %d gives %v at %d", r, token, e, j)
					}
				}
			}
		}
	})
}

// Rows of padding attend to nothing and are written nowhere; inputs say which they are.
func TestPadding(t *testing.T) {
	w := newWriter(t, 2, 2)
	rows := w.rows(2)
	tokens, positions, sequences := w.input(
		"tokens",
		rows,
	), w.input(
		"positions",
		rows,
	), w.input(
		"sequences",
		rows,
	)
	for _, in := range []struct {
		name string
		from value
	}{{"tokens", tokens}, {"positions", positions}, {"sequences", sequences}} {
		y := w.buffer(dtype.I32, rows)
		w.step(bundlepb.OpCode_REBASE, []value{in.from}, []value{y}, "size", 1, "stride", 1, "step", 0)
		w.site(in.name)
	}
	x, y := w.buffer(
		dtype.F32,
		rows,
		shape.Fixed(8),
	), w.buffer(
		dtype.F32,
		rows,
		shape.Fixed(2),
		shape.Fixed(4),
	)
	table := w.floats(
		"table",
		"row",
		vocabulary,
		8,
		func(_, i, j int) float32 { return 1 + random(1, i, j) },
	)
	w.step(bundlepb.OpCode_EMBED, []value{tokens, table}, []value{x})
	heads := w.view(x, y.shape...)
	keys, values := w.state("k", 2, 4), w.state("v", 2, 4)
	w.step(bundlepb.OpCode_KV_WRITE, []value{keys, heads, positions, sequences}, nil)
	w.step(bundlepb.OpCode_KV_WRITE, []value{values, heads, positions, sequences}, nil)
	w.step(
		bundlepb.OpCode_ATTEND,
		[]value{heads, keys, values, positions, sequences},
		[]value{y},
		"scale",
		1.0,
	)
	// group 0: sequences 0, 4, 2 as 0, 2, 1; group 1: one token of 3, as 1; three rows make two shards of two
	for r, s := range runOnce(t, w, 0, 4, 3, 2) {
		token := tokenOf(1)
		want := [][]int32{{token(0), token(1), token(3), 0}, {0, 0, 0, 0}, {0, 2, 1, -1}}
		attended := 3
		if r/2 == 1 {
			want, attended = [][]int32{{token(2), 0, 0, 0}, {0, 0, 0, 0}, {1, -1, -1, -1}}, 1
		}
		wantSeen(t, r, "tokens", s["tokens"], want[0])
		wantSeen(t, r, "positions", s["positions"], want[1])
		wantSeen(t, r, "sequences", s["sequences"], want[2])
		for i, v := range s["attend"][0].([]float32) {
			if (v != 0) != (i < attended*8) {
				t.Errorf("rank %d: element %d is %v", r, i, v)
			}
		}
	}
}
