package weights

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
)

// TestOnRank: a rank has the part that its index says.
func TestOnRank(t *testing.T) {
	b := ir.NewBuilder("ranks")
	m := memory{}
	maker := &maker{r: rand.New(rand.NewPCG(8, 8)), b: b, w: m}
	w := maker.weight(dtype.F32, []int64{6, 2})
	attrs := func(more ...ir.Attr) []ir.Attr {
		return append([]ir.Attr{ir.Int("size", 2), ir.Int("stride", 2)}, more...)
	}
	for rank := range 4 {
		index := int64(rank / 2)
		for _, c := range []struct{ mine, named *ir.Value }{
			{b.Add(ir.OpShard, "", []*ir.Value{w}, attrs(ir.Int("axis", 0), ir.Int("align", 2))...)[0],
				b.Add(ir.OpShard, "", []*ir.Value{w}, attrs(ir.Int("axis", 0), ir.Int("align", 2), ir.Int("index", index))...)[0]},
			{b.Add(ir.OpOwn, "", []*ir.Value{w}, attrs()...)[0],
				b.Add(ir.OpOwn, "", []*ir.Value{w}, attrs(ir.Int("index", index))...)[0]},
		} {
			want := maker.want(t, c.named)
			got := make([]float32, want.Len())
			if err := Floats(OnRank(m, rank), c.mine, 0, got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want.F32) {
				t.Errorf("rank %d has %v of %v, want %v", rank, got, ir.Format(c.mine.Def), want.F32)
			}
		}
	}
}

// TestPart: ranks whose constants are equal have equal parts, others do not.
func TestPart(t *testing.T) {
	b := ir.NewBuilder("ranks")
	w := b.Weight("w", dtype.F32, 8)
	pairs := b.Add(ir.OpShard, "", []*ir.Value{w}, ir.Int("axis", 0), ir.Int("size", 2), ir.Int("stride", 1))[0]
	both := b.Add(ir.OpShard, "", []*ir.Value{pairs}, ir.Int("axis", 0), ir.Int("size", 2),
		ir.Int("stride", 2))[0]
	own := b.Add(ir.OpOwn, "", []*ir.Value{w}, ir.Int("size", 4), ir.Int("stride", 1))[0]
	for _, c := range []struct {
		v    *ir.Value
		want []int // the first rank with the same part
	}{{w, []int{0, 0, 0, 0}}, {pairs, []int{0, 1, 0, 1}}, {both, []int{0, 1, 2, 3}}, {own, []int{0, 1, 1, 1}}} {
		var got []int
		for rank := range 4 {
			got = append(got, slices.IndexFunc([]int{0, 1, 2, 3}, func(r int) bool {
				return Part([]*ir.Value{c.v}, r) == Part([]*ir.Value{c.v}, rank)
			}))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", ir.Format(c.v.Def), got, c.want)
		}
	}
}

// counted is a source that counts the bytes that are read.
type counted struct {
	memory
	bytes *int
}

func (c counted) ReadAt(name string, dst []byte, off int64) error {
	*c.bytes += len(dst)
	return c.memory.ReadAt(name, dst, off)
}

// TestQuantizeMovedPairs: experts whose halves are cut between ranks, by rows and by columns, are what the
// interpreter makes of weights and scales apart; each byte is read once for rows, and columns of a row
// cost the row.
func TestQuantizeMovedPairs(t *testing.T) {
	for seed := range uint64(60) {
		m := newPair(seed)
		q, s := m.want(t, m.q), m.want(t, m.s)
		k := RowLength(m.q)
		bytes := 0
		src := counted{m.w, &bytes}
		for lo := int64(0); lo < int64(s.Len()); {
			hi := lo + 1 + m.r.Int64N(int64(s.Len())-lo)
			gotQ, gotS := make([]int8, (hi-lo)*k), make([]float32, hi-lo)
			if err := Quantize(src, m.q, m.s, lo, gotQ, gotS); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(gotQ, q.I8[lo*k:hi*k]) || !slices.Equal(gotS, s.F32[lo:hi]) {
				t.Fatalf("seed %d: rows %d to %d of %s differ", seed, lo, hi, ir.Format(m.q.Def))
			}
			lo = hi
		}
		size := 0
		for _, w := range m.w {
			size += len(w.Bytes())
		}
		if bytes > size {
			t.Errorf("seed %d: %d bytes are read of a weight of %d: %s", seed, bytes, size, ir.Format(m.q.Def))
		}
	}
}

// pair is an int8 weight and its scales, moved alike.
type pair struct {
	*maker
	q, s *ir.Value
}

// newPair quantizes [E,N,K] and cuts it as a partition does, some of the ways left out.
func newPair(seed uint64) pair {
	m := &maker{r: rand.New(rand.NewPCG(seed, 9)), b: ir.NewBuilder("pair"), w: memory{}}
	w := m.weight(dtype.BF16, []int64{4, 12, 6})
	now := m.b.Add(ir.OpQuantizeWeight, "", []*ir.Value{w})
	p := pair{m, now[0], now[1]}
	shard := func(v *ir.Value, axis, size, index, align int64) *ir.Value {
		return m.b.Add(ir.OpShard, "", []*ir.Value{v}, ir.Int("axis", axis), ir.Int("size", size),
			ir.Int("stride", 1), ir.Int("align", align), ir.Int("index", index))[0]
	}
	if m.r.IntN(2) == 0 {
		i := m.r.Int64N(2)
		p.q, p.s = shard(p.q, 0, 2, i, 1), shard(p.s, 0, 2, i, 1)
	}
	if m.r.IntN(2) == 0 {
		i := m.r.Int64N(3)
		halves := func(v *ir.Value) *ir.Value {
			return m.b.Add(ir.OpConcat, "", []*ir.Value{shard(m.b.Slice("", v, 1, 0, 6), 1, 3, i, 4),
				shard(m.b.Slice("", v, 1, 6, 12), 1, 3, i, 4)}, ir.Int("axis", 1))[0]
		}
		p.q, p.s = halves(p.q), halves(p.s)
	}
	if m.r.IntN(2) == 0 {
		p.q = shard(p.q, 2, 2, m.r.Int64N(2), 4)
	}
	return p
}

// TestRememberedRows: ranks that take columns of the same rows read them once.
func TestRememberedRows(t *testing.T) {
	m := &maker{r: rand.New(rand.NewPCG(4, 4)), b: ir.NewBuilder("w"), w: memory{}}
	w := m.weight(dtype.BF16, []int64{8, 12})
	now := m.b.Add(ir.OpQuantizeWeight, "", []*ir.Value{w})
	cut := m.b.Add(ir.OpShard, "", now[:1], ir.Int("axis", 1), ir.Int("size", 4), ir.Int("stride", 1))[0]
	if !CutsColumns([]*ir.Value{cut}) || CutsColumns(now) {
		t.Error("columns are cut, rows are not")
	}
	bytes := 0
	src := Remember(counted{m.w, &bytes})
	whole := m.want(t, now[0])
	for rank := range 4 {
		q, s := make([]int8, 8*3), make([]float32, 8)
		for _, lo := range []int64{0, 4} {
			if err := Quantize(OnRank(src, rank), cut, now[1], lo, q[lo*3:][:12], s[lo:][:4]); err != nil {
				t.Fatal(err)
			}
		}
		for r := range 8 {
			if !slices.Equal(q[r*3:][:3], whole.I8[r*12+rank*3:][:3]) {
				t.Errorf("rank %d, row %d: %v", rank, r, q[r*3:][:3])
			}
		}
	}
	if size := len(m.w["w0"].Bytes()); bytes != size {
		t.Errorf("%d bytes are read of a weight of %d", bytes, size)
	}
}
