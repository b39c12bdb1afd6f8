package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
	"moge/ir"
	"moge/ir/dtype"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

// everything is a graph with one op of most kinds, for damage.
func everything(t testing.TB) (*ir.Graph, named) {
	t.Helper()
	b, x := newGraph()
	for i, c := range opCases {
		for j, v := range c.build(b, x) {
			if v.Type.DType != dtype.I8 {
				b.Output(fmt.Sprintf("y%d.%d", i, j), v)
			}
		}
	}
	heads := func(site string) *ir.Value { return cube(b, x) }
	k := b.Op1(ir.OpKVWrite, "k", b.State("k", dtype.F16, 4, 25), heads("k"), b.positions, b.sequences)
	v := b.Op1(ir.OpKVWrite, "v", b.State("v", dtype.I8, 4, 25), heads("v"), b.positions, b.sequences)
	y := b.Add(ir.OpAttend, "attend", []*ir.Value{heads("q"), k, v, b.positions, b.sequences},
		ir.Float("scale", 1), ir.Int("window", 3))
	b.Output("attend", y[0])
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g, values(rand.New(rand.NewPCG(1, 2)), g)
}

var smallLimits = codegen.Limits{BatchTokens: 9, Seqs: 3, Context: 40, LogitsRows: 4}

// encodeManifest writes manifest.pb with a valid header.
func encodeManifest(t testing.TB, dir string, m *bundlepb.Manifest) {
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

// damage changes one number, string or list of a program, or of a section's description.
func damage(r *rand.Rand, m *bundlepb.Manifest) {
	roots := []proto.Message{m.Programs[0], m.Programs[0].Steps[r.IntN(len(m.Programs[0].Steps))],
		m.Ranks[0].Sections[r.IntN(len(m.Ranks[0].Sections))]}
	damageMessage(r, roots[r.IntN(len(roots))].ProtoReflect())
}

func damageMessage(r *rand.Rand, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	f := fields.Get(r.IntN(fields.Len()))
	switch {
	case f.IsList():
		damageList(r, m, f)
	case f.Kind() == protoreflect.MessageKind:
		damageMessage(r, m.Mutable(f).Message())
	default:
		m.Set(f, odd(r, f, m.Get(f)))
	}
}

func damageList(r *rand.Rand, m protoreflect.Message, f protoreflect.FieldDescriptor) {
	list := m.Mutable(f).List()
	n := list.Len()
	if n == 0 {
		return
	}
	i := r.IntN(n)
	switch r.IntN(8) {
	case 0:
		list.Truncate(i)
	case 1:
		list.Set(i, list.Get(r.IntN(n)))
	default:
		if f.Kind() == protoreflect.MessageKind {
			damageMessage(r, list.Get(i).Message())
			return
		}
		list.Set(i, odd(r, f, list.Get(i)))
	}
}

// odd is another value for a field.
func odd(r *rand.Rand, f protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	n := []int64{0, 1, 2, 3, 7, 16, 64, 100, 1 << 20, math.MaxInt32, math.MaxInt64, -1}[r.IntN(12)]
	near := int64(r.IntN(5) - 2)
	switch f.Kind() {
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(r.IntN(90)))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64([]int64{n, v.Int() + near, v.Int() * 2}[r.IntN(3)])
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64([]uint64{uint64(n) * 64, v.Uint() + uint64(near)*64}[r.IntN(2)])
	case protoreflect.Uint32Kind:
		v := []uint32{uint32(r.IntN(300)), uint32(v.Uint()) + uint32(near)}[r.IntN(2)]
		return protoreflect.ValueOfUint32(v)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0, -1, 1e300, math.NaN(), math.Inf(1)}[r.IntN(5)])
	case protoreflect.StringKind:
		words := []string{"", "row", "tile16", "tile16x4", "k", "axis", "tokens"}
		return protoreflect.ValueOfString(words[r.IntN(len(words))])
	}
	return v
}

// attempt opens, loads and runs a bundle as far as it goes. A panic is a bug of ours.
func attempt(t testing.TB, dir string) (ran bool) {
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return false
	}
	defer b.Close()
	limits := b.Manifest().Programs[0].Limits
	if limits.MaxBatchTokens > 1<<20 || limits.MaxSeqs > 1<<10 || limits.Context > 1<<20 {
		return false // legal, but more memory than a test should take
	}
	r, err := cpudevice.Device{}.Load(b, 0, device.Options{Threads: 2, CacheRows: 1024})
	if err != nil {
		return false
	}
	defer r.Close()
	for start := int32(0); start < 8; start += 4 {
		step := device.Batch{Tokens: []int32{1, 49, 7, 3}, Sequences: []int32{0, 1, 0, 1}, Rows: []int32{1, 3},
			Positions: []int32{start / 2, start / 2, start/2 + 1, start/2 + 1}}
		if err := r.Run(context.Background(), step); err != nil {
			return false
		}
	}
	return true
}

// A damaged program is refused, or runs within its own memory.
func TestDamagedPrograms(t *testing.T) {
	g, w := everything(t)
	b := build(t, g, w, smallLimits)
	whole := b.Manifest()
	if !attempt(t, b.Dir()) {
		t.Fatal("the undamaged bundle does not run")
	}
	tries, ran := 600, 0
	if testing.Short() {
		tries = 100
	}
	for seed := range tries {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		m := proto.Clone(whole).(*bundlepb.Manifest)
		for range 1 + r.IntN(2) {
			damage(r, m)
		}
		encodeManifest(t, b.Dir(), m)
		if attempt(t, b.Dir()) {
			ran++
		}
	}
	t.Logf("%d of %d damaged programs ran", ran, tries)
}

func FuzzDamagedPrograms(f *testing.F) {
	g, w := everything(f)
	b := buildIn(f, f.TempDir(), g, w, smallLimits)
	whole := b.Manifest()
	f.Add(uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, seed, other uint64) {
		r := rand.New(rand.NewPCG(seed, other))
		m := proto.Clone(whole).(*bundlepb.Manifest)
		for range 1 + r.IntN(3) {
			damage(r, m)
		}
		encodeManifest(t, b.Dir(), m)
		attempt(t, b.Dir())
	})
}

// A weight file that is cut short while it is mapped is an error that names it, and the
// sequences are as before.
func TestTruncatedWeights(t *testing.T) {
	for _, threads := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d threads", threads), func(t *testing.T) {
			b, x := newGraph()
			wide := b.Op1(ir.OpLinear, "wide", x, b.w(dtype.F32, 2000, width))
			b.Output("y", b.Op1(ir.OpLinear, "op", wide, b.w(dtype.F32, 100, 2000)))
			b.Output("rows", b.Op1(ir.OpTakeRows, "rows", x, b.rows))
			g, err := b.Finish()
			if err != nil {
				t.Fatal(err)
			}
			bun := build(t, g, values(rand.New(rand.NewPCG(1, 2)), g), smallLimits)
			r := load(t, bun, device.Options{Threads: threads})
			if err := r.Run(context.Background(), batchOf([][]int32{{1, 2}})); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(bun.Dir(), bundle.RankFile(0))
			if err := os.Truncate(file, 8192); err != nil {
				t.Fatal(err)
			}
			next := device.Batch{Tokens: []int32{1}, Positions: []int32{2}, Sequences: []int32{0}}
			err = r.Run(context.Background(), next)
			want := file + ": the file was cut short or became unreadable while mapped; " +
				"copy the bundle again or compile it anew"
			if err == nil || !errors.Is(err, mapped.ErrFault) || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
			if n := r.Length(0); n != 2 {
				t.Errorf("the sequence has %d positions, want 2", n)
			}
			if _, err := r.Floats("y"); err == nil {
				t.Error("outputs of a step that failed can be read")
			}
		})
	}
}

// loadError changes the manifest of a bundle and gives the error of loading it.
func loadError(t *testing.T, b *bundle.Bundle, change func(p *bundlepb.Program)) string {
	t.Helper()
	m := proto.Clone(b.Manifest()).(*bundlepb.Manifest)
	change(m.Programs[0])
	encodeManifest(t, b.Dir(), m)
	changed := open(t, b.Dir())
	_, err := cpudevice.Device{}.Load(changed, 0, device.Options{})
	if err == nil {
		return ""
	}
	var e *bundle.Error
	if !errors.As(err, &e) || !e.Invalid() {
		t.Errorf("%v is not an error of the bundle", err)
	}
	place := filepath.Join(b.Dir(), bundle.ManifestName) + ": program \"step\": "
	text := strings.TrimPrefix(err.Error(), place)
	return strings.TrimSuffix(text, "; compile it anew with this version")
}

func TestLoadErrors(t *testing.T) {
	b, x := newGraph()
	b.Output("y", b.Op1(ir.OpLinear, "site", x, b.w(dtype.BF16, outs, width), b.w(dtype.F32, outs)))
	b.Output("z", b.Add(ir.OpSoftmax, "soft", one(b.Op1(ir.OpTakeRows, "rows", x, b.rows)))[0])
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	bun := build(t, g, values(rand.New(rand.NewPCG(1, 2)), g), smallLimits)
	linear := func(p *bundlepb.Program) *bundlepb.Step { return p.Steps[1] }
	for _, c := range []struct {
		change func(p *bundlepb.Program)
		want   string
	}{
		{func(p *bundlepb.Program) {}, ""},
		{func(p *bundlepb.Program) { linear(p).Op = bundlepb.OpCode_COPY },
			"step 1, COPY at site: this device has no such operation; a newer version may"},
		{func(p *bundlepb.Program) { linear(p).Variant = "x" },
			`step 1, LINEAR at site: this device has no variant "x"; a newer version may`},
		{func(p *bundlepb.Program) { linear(p).Args = linear(p).Args[:1] },
			"step 1, LINEAR at site: 1 arguments and 1 results"},
		{func(p *bundlepb.Program) { linear(p).Args[1] = linear(p).Args[0] },
			"step 1, LINEAR at site: argument 1 is not a weight in tiles of the right type"},
		{func(p *bundlepb.Program) { linear(p).Args[2] = linear(p).Args[1] },
			"step 1, LINEAR at site: argument 2 is not a constant f32[40], row by row"},
		{func(p *bundlepb.Program) { linear(p).Results[0] = linear(p).Args[0] },
			"step 1, LINEAR at site: result 0 shares memory with another operand"},
		{func(p *bundlepb.Program) {
			linear(p).Attrs = []*bundlepb.Attr{{Name: "new", Value: &bundlepb.Attr_I{I: 1}}}
		},
			"step 1, LINEAR at site: an attribute of [new] is not known"},
		{func(p *bundlepb.Program) { p.Buffers[linear(p).Args[0].GetBuffer()].Shape[1].Coef-- },
			"step 0, EMBED at embed: result 0 is [T,99], want [T,100]"},
		{func(p *bundlepb.Program) { p.Buffers[linear(p).Results[0].GetBuffer()].Dtype = bundlepb.DType_I8 },
			"step 1, LINEAR at site: result 0 is not a buffer of f32"},
		{func(p *bundlepb.Program) { p.Buffers[0].Dtype = bundlepb.DType_F32 },
			"input tokens: the buffer is f32[T], want i32[T]"},
		{func(p *bundlepb.Program) { p.Inputs[0].Name = "ids" },
			"input ids: this device does not supply it"},
		{func(p *bundlepb.Program) { p.ArenaBytes = 1 << 40; p.Limits.MaxSeqs = 2 },
			"arena of 1099511627776 bytes, this device takes 68719476736 at most"},
	} {
		if got := loadError(t, bun, c.change); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestBatchErrors(t *testing.T) {
	b, x := newGraph()
	b.Output("y", b.Op1(ir.OpTakeRows, "op", x, b.rows))
	g, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	r := load(t, build(t, g, values(rand.New(rand.NewPCG(1, 2)), g), smallLimits), device.Options{Context: 5})
	ids := func(v ...int32) []int32 { return v }
	for _, c := range []struct {
		b    device.Batch
		want string
	}{
		{device.Batch{}, "a step of no tokens"},
		{device.Batch{Tokens: make([]int32, 10)}, "a step of 10 tokens, at most 9 are allowed"},
		{device.Batch{Tokens: ids(1), Positions: ids(0)}, "1 tokens with 1 positions and 0 sequences"},
		{device.Batch{Tokens: ids(1), Positions: ids(0), Sequences: ids(3)}, "token 0 is of sequence 3, there are 3"},
		{device.Batch{Tokens: ids(1), Positions: ids(1), Sequences: ids(0)}, "token 0 is at position 1 of sequence 0, want 0"},
		{device.Batch{Tokens: ids(1, 1), Positions: ids(0, 0), Sequences: ids(0, 0)},
			"token 1 is at position 0 of sequence 0, want 1"},
		{device.Batch{Tokens: ids(1), Positions: ids(0), Sequences: ids(0), Rows: ids(1)},
			"row 0 is 1: rows ascend and are below 1"},
		{device.Batch{Tokens: ids(1, 1), Positions: ids(0, 1), Sequences: ids(0, 0), Rows: ids(1, 0)},
			"row 1 is 0: rows ascend and are below 2"},
		{device.Batch{Tokens: ids(1), Positions: ids(0), Sequences: ids(0), Rows: make([]int32, 5)},
			"logits of 5 rows wanted, at most 4 are allowed"},
		{device.Batch{Tokens: ids(-1), Positions: ids(0), Sequences: ids(0)}, "token 0 is -1, the vocabulary has 0 tokens"},
		{device.Batch{Tokens: ids(50), Positions: ids(0), Sequences: ids(0)}, "EMBED at embed: token 0 is 50, want 0 to 49"},
		{device.Batch{Tokens: make([]int32, 6), Positions: ids(0, 1, 2, 3, 4, 5), Sequences: make([]int32, 6)},
			"kv cache: sequence 0 would hold 6 positions, the context is 5; shorten the prompt or raise the context"},
	} {
		if err := r.Run(context.Background(), c.b); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		if n := r.Length(0); n != 0 {
			t.Errorf("after %q the sequence has %d positions", c.want, n)
		}
	}
}
