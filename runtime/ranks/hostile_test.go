package ranks

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/runtime/comm"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

// refused is a step that no compiler writes, after those that give x and ids, and what is said of it.
type refused struct {
	want  string
	op    bundlepb.OpCode
	from  func(w *writer, x, ids value) value
	to    func(w *writer, x, ids value) value
	attrs []any
}

func ofX(_ *writer, x, _ value) value { return x }

func ofIDs(_ *writer, _, ids value) value { return ids }

// newOf is a new buffer.
func newOf(d dtype.Type, dims ...shape.Dim) func(w *writer, x, ids value) value {
	return func(w *writer, _, _ value) value { return w.buffer(d, dims...) }
}

func whole(ranks int64) shape.Dim { return shape.Dim{Coef: ranks, Scalar: shape.T, Div: 4} }

// gather is an ALL_GATHER of x over four ranks but for its attributes.
func gather(want string, attrs ...any) refused {
	to := newOf(dtype.F32, whole(16), shape.Fixed(columns))
	return refused{want, bundlepb.OpCode_ALL_GATHER, ofX, to, attrs}
}

const (
	badSize   = "attribute size is missing or not from 1 to 4"
	badWire   = "attribute wire is not a type of floats, or the elements are of "
	badOfType = "argument 0 is not a buffer of the result's type, or not of what is summed"
)

// all4 are the attributes of a group of four ranks, and more.
func all4(more ...any) []any { return append([]any{"size", 4, "stride", 1}, more...) }

var refusedPrograms = []refused{
	gather(badSize, "stride", 1),
	gather(badSize, "size", 8, "stride", 1),
	gather(badSize, "size", 0, "stride", 1),
	gather(badSize, "size", math.MinInt64, "stride", 1),
	gather("attribute stride is missing or not from 1 to 4", "size", 4, "stride", 1<<40),
	gather(
		"groups of 3, stride 1 do not cut 4 ranks: size · stride must divide them",
		"size",
		3,
		"stride",
		1,
	),
	gather(
		"groups of 4, stride 2 do not cut 4 ranks: size · stride must divide them",
		"size",
		4,
		"stride",
		2,
	),
	gather("result 0 is [16*ceil(T/4),6], want [8*ceil(T/4),6]", "size", 2, "stride", 2),
	gather(badWire+"f32", all4("wire", "i8")...),
	gather(badWire+"f32", all4("wire", 1)...),
	gather("an attribute of [axis size stride] is not known", all4("axis", 0)...),
	{badWire + "i32", bundlepb.OpCode_ALL_GATHER, ofIDs, newOf(dtype.I32, whole(16), shape.Fixed(2)),
		all4("wire", "f16")},
	{badOfType, bundlepb.OpCode_ALL_REDUCE, ofIDs, newOf(dtype.I32, whole(4), shape.Fixed(2)), all4()},
	{badOfType, bundlepb.OpCode_ALL_GATHER, ofIDs, newOf(dtype.F32, whole(16), shape.Fixed(2)), all4()},
	{
		"argument 0 has no dimensions",
		bundlepb.OpCode_ALL_GATHER,
		newOf(dtype.F32),
		newOf(dtype.F32),
		all4(),
	},
	{"[100] of i8 has no rows", bundlepb.OpCode_ALL_GATHER, newOf(dtype.I8, shape.Fixed(100)),
		newOf(dtype.I8, shape.Fixed(400)), all4()},
	{"[ceil(T/4),6] does not make 4 blocks", bundlepb.OpCode_REDUCE_SCATTER,
		newOf(
			dtype.F32,
			whole(1),
			shape.Fixed(columns),
		), newOf(dtype.F32, whole(0), shape.Fixed(columns)), all4()},
	{"axis 1 of [4*ceil(T/4),6] does not make 4 blocks", bundlepb.OpCode_SHARD, ofX,
		newOf(dtype.F32, whole(4), shape.Fixed(1)), all4("axis", 1)},
	{"axis 2 of [4*ceil(T/4),6] does not make 4 blocks", bundlepb.OpCode_SHARD, ofX,
		newOf(dtype.F32, whole(4), shape.Fixed(1)), all4("axis", 2)},
	{"result 0 is [4*ceil(T/4),6], want [4*ceil(T/4),3]", bundlepb.OpCode_SHARD, ofX,
		newOf(dtype.F32, whole(4), shape.Fixed(columns)), []any{"axis", 1, "size", 2, "stride", 1}},
	{"attribute step is missing or not from 0 to 536870912", bundlepb.OpCode_REBASE, ofIDs,
		newOf(dtype.I32, whole(4), shape.Fixed(2)), all4("step", 1<<29+1)},
	{"argument 0 is not a buffer of i32", bundlepb.OpCode_REBASE, ofX,
		newOf(dtype.I32, whole(4), shape.Fixed(columns)), all4("step", 1)},
	{"result 0 shares memory with another operand", bundlepb.OpCode_ALL_REDUCE, ofX,
		func(w *writer, x, _ value) value { return w.view(x, x.shape...) }, all4()},
	{"outside is 2, want 0 or 1", bundlepb.OpCode_EMBED, newOf(dtype.I32, whole(4)),
		newOf(dtype.F32, whole(4), shape.Fixed(columns)), []any{"outside", 2}},
}

// Programs that no compiler writes are refused when they are loaded.
func TestRefusedPrograms(t *testing.T) {
	for _, c := range refusedPrograms {
		w := newWriter(t, 1, 4)
		_, x, _, ids := w.operands()
		args := []value{c.from(w, x, ids)}
		if c.op == bundlepb.OpCode_EMBED {
			args = append(args, w.section("table"))
		}
		w.step(c.op, args, []value{c.to(w, x, ids)}, c.attrs...)
		s := w.program.Steps[len(w.program.Steps)-1]
		b := w.open()
		_, err := New(cpudevice.Device{}).Load(b, 0, device.Options{})
		wantError(t, err, filepath.Join(b.Dir(), bundle.ManifestName)+`: program "step": step 3, `+
			s.Op.String()+" at "+s.Site+": "+c.want+"; compile it anew with this version")
	}
}

// Inputs have the rows that the placement says.
func TestRefusedInputs(t *testing.T) {
	for _, c := range []struct {
		dp, tp int
		rows   shape.Dim
		want   string
	}{
		{2, 2, shape.Of(shape.T), "the buffer is i32[T], want i32[2*ceil(T/2)]"},
		{2, 2, shape.Dim{Coef: 4, Scalar: shape.T, Div: 4}, "the buffer is i32[4*ceil(T/4)], want i32[2*ceil(T/2)]"},
		{4, 1, shape.Dim{Coef: 2, Scalar: shape.T, Div: 2}, "the buffer is i32[2*ceil(T/2)], want i32[T]"},
		{1, 1, shape.Dim{Coef: 2, Scalar: shape.T, Div: 2}, "the buffer is i32[2*ceil(T/2)], want i32[T]"},
	} {
		w := newWriter(t, c.dp, c.tp)
		w.input("tokens", c.rows)
		w.floats("unused", "row", 1, 1, func(int, int, int) float32 { return 0 })
		b := w.open()
		_, err := New(cpudevice.Device{}).Load(b, 0, device.Options{})
		wantError(
			t,
			err,
			filepath.Join(b.Dir(), bundle.ManifestName)+`: program "step": input tokens: `+c.want+
				"; compile it anew with this version",
		)
	}
}

// One rank cannot be run alone, and none that is not there.
func TestRefusedRanks(t *testing.T) {
	b := model(t, 2, 2, 4, -1)
	one := comm.NewWorld(1).Rank(0)
	for _, c := range []struct {
		opt  device.Options
		want string
	}{
		{device.Options{}, "the bundle is cut for 4 ranks; the cpu device runs those of one"},
		{device.Options{Comm: one}, "the bundle is cut for 4 ranks, there is no rank 0 of 1"},
		{device.Options{Comm: one, Ranks: 2}, "the bundle is cut for 4 ranks, there is no rank 0 of 2"},
		{device.Options{Comm: one, Ranks: 4, Rank: 4}, "the bundle is cut for 4 ranks, there is no rank 4 of 4"},
		{device.Options{Comm: one, Ranks: 4, Rank: -1}, "the bundle is cut for 4 ranks, there is no rank -1 of 4"},
	} {
		_, err := cpudevice.Device{}.Load(b, 0, c.opt)
		wantError(t, err, b.Dir()+": "+c.want)
	}
	single := model(t, 1, 1, 1, -1)
	_, err := cpudevice.Device{}.Load(single, 0, device.Options{Comm: one, Ranks: 4, Rank: 1})
	wantError(t, err, single.Dir()+": the bundle is cut for 1 ranks, there is no rank 1 of 4")
	_, err = New(cpudevice.Device{}).Load(b, 3, device.Options{})
	wantError(t, err, b.Dir()+": there is no program 3, the bundle has 1")
	_, err = New(cpudevice.Device{}).Load(b, 0, device.Options{Threads: -1})
	wantError(t, err, "context 0, cache of 0 positions, -1 threads: none can be negative")

	part, err := bundle.Open(b.Dir(), bundle.OpenOptions{Ranks: []int{0, 1, 3}})
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	_, err = New(cpudevice.Device{}).Load(part, 0, device.Options{})
	wantError(t, err, b.Dir()+": rank 2 is not open")
}

// Whatever numbers a manifest has, it is refused, or its steps run or fail; nothing hangs or panics.
func TestHostileNumbers(t *testing.T) {
	b := model(t, 2, 2, 4, -1)
	r := rand.New(rand.NewPCG(1, 5))
	loaded, refused := 0, 0
	for range 400 {
		m := proto.CloneOf(b.Manifest())
		for range 1 + r.IntN(2) {
			damage(r, m)
		}
		encodeManifest(t, b.Dir(), m)
		if runHostile(t, b.Dir()) {
			loaded++
		} else {
			refused++
		}
	}
	if loaded < 10 || refused < 100 {
		t.Errorf("%d were loaded and %d refused", loaded, refused)
	}
}

// runHostile reports whether the bundle could be loaded.
func runHostile(t *testing.T, dir string) bool {
	t.Helper()
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return false
	}
	defer b.Close()
	run, err := New(
		cpudevice.Device{},
	).Load(b, 0, device.Options{Threads: 1, CacheRows: 300, Context: 40})
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for i, sequences := range batches {
		err = run.Run(ctx, feed(run, sequences, tokenOf(i)))
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a step hangs: %v", b.Manifest().Placement)
		}
		if err == nil {
			_, _ = run.Floats("logits")
			_, _ = run.Ints("experts.0")
		}
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	return true
}

// damage changes a number of the placement, of a step, or of a buffer.
func damage(r *rand.Rand, m *bundlepb.Manifest) {
	small := func() uint32 { return []uint32{0, 1, 2, 3, 4, 8, 1 << 31}[r.IntN(7)] }
	p := m.Programs[0]
	switch r.IntN(5) {
	case 0:
		a := m.Placement.Attention
		if a == nil {
			return
		}
		*[]*uint32{&a.Dp, &a.Ep, &a.Tp, &m.Placement.HeadTp, &m.Placement.EmbedTp,
			&m.Placement.Devices}[r.IntN(6)] = small()
	case 1:
		m.Placement.Attention = [](*bundlepb.Degrees){nil, {Dp: 4}, {Tp: 4}, {Dp: 2, Tp: 2}}[r.IntN(4)]
	case 2:
		s := p.Steps[r.IntN(len(p.Steps))]
		if len(s.Attrs) > 0 {
			a := s.Attrs[r.IntN(len(s.Attrs))]
			a.Value = &bundlepb.Attr_I{I: int64(small())}
		}
	case 3:
		s := p.Buffers[r.IntN(len(p.Buffers))].Shape
		d := s[r.IntN(len(s))]
		*[]*int64{&d.Coef, &d.Div}[r.IntN(2)] = int64(small())
	case 4:
		s := p.Steps[r.IntN(len(p.Steps))]
		if len(s.Args) > 0 {
			s.Args[r.IntN(len(s.Args))] = &bundlepb.Operand{
				Kind: &bundlepb.Operand_Buffer{Buffer: uint32(r.IntN(len(p.Buffers)))}}
		}
	}
}

// encodeManifest writes manifest.pb with a valid header.
func encodeManifest(t *testing.T, dir string, m *bundlepb.Manifest) {
	t.Helper()
	payload, err := bundle.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 24)
	copy(head, "MOGEBNDL")
	binary.LittleEndian.PutUint32(head[8:], m.FormatVersion)
	binary.LittleEndian.PutUint64(head[16:], uint64(len(payload)))
	sum := sha256.Sum256(append(append([]byte{}, head...), payload...))
	file := append(append(head, sum[:]...), payload...)
	if err := os.WriteFile(filepath.Join(dir, bundle.ManifestName), file, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The file of a rank that is missing is named, with what to do.
func TestMissingRank(t *testing.T) {
	dir := model(t, 1, 2, 2, -1).Dir()
	missing := filepath.Join(dir, bundle.RankFile(1))
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	_, err := bundle.Open(dir, bundle.OpenOptions{})
	var e *bundle.Error
	if !errors.As(err, &e) || !e.Invalid() ||
		!strings.Contains(err.Error(), missing+": file is missing, "+
			"the weights of one of 2 ranks; copy it from where the bundle was compiled") {
		t.Error(err)
	}
}
