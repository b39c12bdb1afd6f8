package comm

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"moge/ir/dtype"
)

// together runs f on every rank at once and gives the errors; a test that hangs fails.
func together(t *testing.T, w *World, f func(r *Rank) error) []error {
	t.Helper()
	errs := make([]error, w.Size())
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f(w.Rank(i)) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("ranks still wait after 20 s")
	}
	return errs
}

func succeed(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("rank %d: %v", i, err)
		}
	}
}

func floats(t dtype.Type, v ...float32) []byte {
	b := make([]byte, t.Bytes(int64(len(v))))
	dtype.Encode(t, b, v)
	return b
}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		g    Group
		rank int
		want []int
	}{
		{Group{8, 1}, 5, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{Group{4, 1}, 5, []int{4, 5, 6, 7}},
		{Group{2, 4}, 5, []int{1, 5}},
		{Group{4, 2}, 5, []int{1, 3, 5, 7}},
		{Group{1, 1}, 5, []int{5}},
	} {
		got := c.g.Members(c.rank)
		if !slices.Equal(got, c.want) || got[c.g.Index(c.rank)] != c.rank {
			t.Errorf("%v of rank %d: %v, want %v", c.g, c.rank, got, c.want)
		}
	}
	for _, g := range []Group{{0, 1}, {1, 0}, {3, 1}, {16, 1}, {4, 4}, {-2, -1}, {math.MaxInt, 2}} {
		if g.Check(8) == nil {
			t.Errorf("%v passes for 8 ranks", g)
		}
	}
}

// Each rank's data are made from its number and compared with plain loops.
func TestCollectives(t *testing.T) {
	for _, n := range []int{1, 2, 4, 8} {
		for _, g := range []Group{{1, 1}, {2, 1}, {2, 4}, {4, 1}, {4, 2}, {8, 1}} {
			if g.Check(n) != nil {
				continue
			}
			for _, d := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.I32} {
				for _, op := range []Op{AllGather, ReduceScatter, AllReduce} {
					for _, count := range []int64{0, 1, 7, 2500} {
						checkCollective(t, n, g, d, op, count)
					}
				}
			}
		}
	}
}

func checkCollective(t *testing.T, n int, g Group, d dtype.Type, op Op, count int64) {
	t.Helper()
	w := NewWorld(n)
	sides := func() (int64, int64) { return op.Sides(count, g.Size) }
	data := make([][]byte, n)
	for r := range data {
		s, _ := sides()
		data[r] = random(d, s, uint64(r))
	}
	out := make([][]byte, n)
	succeed(t, together(t, w, func(r *Rank) error {
		_, recv := sides()
		out[r.ID()] = make([]byte, d.Bytes(recv))
		return r.Do(context.Background(), op, g, data[r.ID()], out[r.ID()], d)
	}))
	for r := range n {
		if want := plain(op, g, d, r, data); !bytes.Equal(out[r], want) {
			t.Errorf("%v of %d %v, rank %d of %d, %v: differs", op, count, d, r, n, g)
		}
	}
}

func random(d dtype.Type, n int64, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, d.Bytes(n))
	if d == dtype.I32 {
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return b
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rnd.NormFloat64()) * float32(math.Exp(4*rnd.NormFloat64()))
	}
	dtype.Encode(d, b, v)
	return b
}

// plain is what a rank must get: whole sums, member by member, then its share.
func plain(op Op, g Group, d dtype.Type, rank int, data [][]byte) []byte {
	var all []byte
	members := g.Members(rank)
	if op == AllGather {
		for _, m := range members {
			all = append(all, data[m]...)
		}
		return all
	}
	all = make([]byte, len(data[rank]))
	if d == dtype.I32 {
		for _, m := range members {
			carry := 0
			for i, v := range data[m] {
				if i%4 == 0 {
					carry = 0
				}
				carry += int(all[i]) + int(v)
				all[i] = byte(carry)
				carry >>= 8
			}
		}
	} else {
		n := len(all) / int(d.Bytes(1))
		total, term := make([]float32, n), make([]float32, n)
		dtype.Decode(d, total, data[members[0]])
		for _, m := range members[1:] {
			dtype.Decode(d, term, data[m])
			for i := range total {
				total[i] += term[i]
			}
		}
		dtype.Encode(d, all, total)
	}
	if op == AllReduce {
		return all
	}
	share := len(all) / g.Size
	return all[g.Index(rank)*share : (g.Index(rank)+1)*share]
}

// One rounding at the end, in ascending order: 2048 + 1 + 1 is 2050 in halves only if the sum is
// kept wide, and 1e8 + 1 - 1e8 is 0 in f32 only from the left.
func TestSumsAreWideAndInOrder(t *testing.T) {
	for _, c := range []struct {
		d    dtype.Type
		in   []float32
		want float32
	}{
		{dtype.F16, []float32{2048, 1, 1, 0}, 2050},
		{dtype.BF16, []float32{256, 1, 1, 0}, 258},
		{dtype.F32, []float32{1e8, 1, -1e8, 0}, 0},
		{dtype.F32, []float32{1e8, -1e8, 1, 0}, 1},
	} {
		w := NewWorld(4)
		succeed(t, together(t, w, func(r *Rank) error {
			x := floats(c.d, c.in[r.ID()])
			err := r.Do(context.Background(), AllReduce, Group{4, 1}, x, x, c.d)
			if want := floats(c.d, c.want); !bytes.Equal(x, want) {
				t.Errorf("%v: sum of %v is % x, want % x", c.d, c.in, x, want)
			}
			return err
		}))
	}
}

// The forms that share memory: a member's block is part of the larger side.
func TestInPlace(t *testing.T) {
	w := NewWorld(4)
	succeed(t, together(t, w, func(r *Rank) error {
		x := make([]byte, 16)
		mine := x[4*r.ID():][:4]
		copy(mine, floats(dtype.F32, float32(r.ID()+1)))
		ctx, world := context.Background(), Group{4, 1}
		if err := r.Do(ctx, AllGather, world, mine, x, dtype.F32); err != nil {
			return err
		}
		if want := floats(dtype.F32, 1, 2, 3, 4); !bytes.Equal(x, want) {
			t.Errorf("rank %d gathered % x", r.ID(), x)
		}
		if err := r.Do(ctx, ReduceScatter, world, x, mine, dtype.F32); err != nil {
			return err
		}
		if want := floats(dtype.F32, 4*float32(r.ID()+1)); !bytes.Equal(mine, want) {
			t.Errorf("rank %d has % x of the sum", r.ID(), mine)
		}
		return nil
	}))
}

// Many steps over changing groups, as a model makes them: nothing is lost between two calls.
func TestManySteps(t *testing.T) {
	w := NewWorld(8)
	groups := []Group{{4, 1}, {8, 1}, {2, 4}, {4, 2}, {2, 1}}
	succeed(t, together(t, w, func(r *Rank) error {
		x := make([]byte, 4)
		for step := range 500 {
			g := groups[step%len(groups)]
			copy(x, []byte{byte(step), 0, 0, 0})
			if err := r.Do(context.Background(), AllReduce, g, x, x, dtype.I32); err != nil {
				return err
			}
			if got, want := int(x[0])+int(x[1])<<8, step%256*g.Size; got != want {
				t.Errorf("step %d: %d, want %d", step, got, want)
			}
		}
		return nil
	}))
}

func TestRandomSchedules(t *testing.T) {
	for seed := range uint64(30) {
		randomSchedule(t, seed)
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(99))
	f.Fuzz(randomSchedule)
}

// randomSchedule lets ranks call at random, wrongly at times, and abort or be cancelled: whatever
// happens, all return, and all that fail name the same rank.
func randomSchedule(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	w := NewWorld([]int{2, 4, 8}[rnd.IntN(3)])
	steps, wrong := 1+rnd.IntN(20), rnd.IntN(40)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	errs := together(t, w, func(r *Rank) error {
		own := rand.New(rand.NewPCG(seed, 3))
		for step := range steps {
			op, size := Op(own.IntN(3)), []int{1, 2}[own.IntN(2)]
			at := step*w.Size() + r.ID()
			if at == wrong {
				switch seed % 4 {
				case 0:
					r.Abort(errors.New("gave up"))
					return nil
				case 1:
					cancel()
				case 2:
					op = (op + 1) % 3
				}
			}
			send, recv := op.Sides(2, size)
			err := r.Do(ctx, op, Group{size, 1}, make([]byte, 4*send), make([]byte, 4*recv), dtype.F32)
			if err != nil {
				r.Abort(err)
				return err
			}
		}
		return nil
	})
	for i, err := range errs {
		if err != nil && err != w.Err() {
			t.Errorf("rank %d: %v, the world says %v", i, err, w.Err())
		}
	}
}
