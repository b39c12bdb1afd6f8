package kernels_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"unsafe"

	"moge/ascend/gate"
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernel/scalar"
	"moge/ascend/kernels"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/card"
	"moge/runtime/cpucard"
)

// onProcessor has cpucard compute every case of specs, which must be what the gate's references want
// of the kernels.
func onProcessor(t *testing.T, shapes gate.Shapes, specs []kernels.Spec) {
	t.Helper()
	for i, s := range specs {
		t.Run(s.KernelName(), func(t *testing.T) { computed(t, s, shapes, uint64(i)) })
	}
}

// computed runs the cases of a spec, by turns with inputs that cannot change and with copies, on one
// worker and on three.
func computed(t *testing.T, s kernels.Spec, shapes gate.Shapes, seed uint64) {
	k, err := s.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Lower(k, chip310P(t))
	if err != nil {
		t.Fatal(err)
	}
	share, cases := 0.0, 0
	for c := range gate.Cases(s, shapes, seed) {
		b := newBed(t, described(p, s), 1+cases%2*2)
		launched(t, b, p, c, cases%2 == 1)
		for _, want := range c.Want {
			got := want.Compare(c.Name, b.memory(want.Tensor))
			if got.Wrong != "" {
				t.Error(got.Wrong)
			}
			if got.Bound > 0 {
				share = max(share, got.Error/got.Bound)
			}
		}
		cases++
	}
	t.Logf("%d cases, largest error %.3f of its bound", cases, share)
}

// described is the kernel as a bundle has it.
func described(p *device.Program, s kernels.Spec) *bundlepb.Kernel {
	k := &bundlepb.Kernel{Name: p.Name, Blocks: uint32(p.Blocks()), Spec: kernels.MarshalSpec(s)}
	for _, g := range p.Globals {
		role := [...]bundlepb.TensorRole{kernel.In: bundlepb.TensorRole_ROLE_IN,
			kernel.Out: bundlepb.TensorRole_ROLE_OUT, kernel.InOut: bundlepb.TensorRole_ROLE_IN_OUT,
			kernel.Scratch:  bundlepb.TensorRole_ROLE_SCRATCH,
			kernel.Exchange: bundlepb.TensorRole_ROLE_SCRATCH}[g.Role]
		if g.Name == lower.SyncArea {
			role = bundlepb.TensorRole_ROLE_ZEROED
		}
		k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: g.Name, Role: role})
	}
	for _, v := range p.Params {
		k.Scalars = append(k.Scalars, v.Name)
	}
	return k
}

// cpuBed is a card with one kernel, and the tensors of a launch.
type cpuBed struct {
	t       *testing.T
	card    card.Card
	kernel  *bundlepb.Kernel
	tensors []card.Tensor
}

func newBed(t *testing.T, k *bundlepb.Kernel, threads int) *cpuBed {
	t.Helper()
	c, err := cpucard.New(threads, k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &cpuBed{t: t, card: c, kernel: k}
}

// put makes a tensor of data; fixed is memory that cannot be written.
func (b *cpuBed) put(data []byte, role bundlepb.TensorRole, fixed bool) {
	b.t.Helper()
	var at card.Addr
	var err error
	if fixed {
		at, err = b.card.(card.Mapper).Map(data)
	} else if at, err = b.card.Alloc(int64(len(data))); err == nil {
		err = b.card.Write(at, data)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.tensors = append(b.tensors, card.Tensor{At: at, Bytes: int64(len(data)), Role: role})
}

// memory is what a tensor holds.
func (b *cpuBed) memory(name string) []byte {
	i := slices.IndexFunc(b.kernel.Tensors, func(t *bundlepb.KernelTensor) bool { return t.Name == name })
	data := make([]byte, b.tensors[i].Bytes)
	if err := b.card.Read(b.tensors[i].At, data); err != nil {
		b.t.Fatal(err)
	}
	return data
}

// launched fills memory as the case says, outputs with what no kernel would leave, and launches.
func launched(t *testing.T, b *cpuBed, p *device.Program, c *gate.Case, fixed bool) {
	t.Helper()
	value := func(v *scalar.Var) int64 { return int64(c.Params[v.Name]) }
	for i, g := range p.Globals {
		data := blocksOf(int(g.Bytes(value)))
		role := b.kernel.Tensors[i].Role
		if role == bundlepb.TensorRole_ROLE_OUT {
			copy(data, bytes.Repeat([]byte{0xa5}, len(data)))
		}
		copy(data, c.Tensors[g.Name])
		if fill := c.Fills[g.Name]; fill != nil {
			fill(data)
		}
		large := len(data) > 64<<20 // one copy is enough
		b.put(data, role, (fixed || large) && role == bundlepb.TensorRole_ROLE_IN)
	}
	l := card.Launch{Kernel: p.Name, Blocks: p.Blocks(), Tensors: b.tensors}
	for _, v := range p.Params {
		l.Scalars = append(l.Scalars, int32(value(v)))
	}
	if err := b.card.Launch(context.Background(), l); err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
}

// blocksOf is zeros that begin at a multiple of 64.
func blocksOf(n int) []byte {
	raw := make([]byte, n+64)
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & 63
	return raw[skip : skip+n : skip+n]
}

func TestProcessorSmallShapes(t *testing.T) {
	onProcessor(t, gate.All, slices.Concat(smallSpecs(), smallMoE(), smallAttention()))
}

func TestProcessorFixedScales(t *testing.T) { onProcessor(t, gate.All, staticSpecs()) }

func TestProcessorTrueShapes(t *testing.T) {
	onProcessor(t, gate.Default, slices.Concat(trueSpecs(t), trueMoE(), trueAttention(), trueStatic(t)))
}

// Every kind that the compiler knows has specs above, and cpucard knows no other.
func TestProcessorKnowsEveryKind(t *testing.T) {
	var kinds []string
	for _, s := range slices.Concat(smallSpecs(), smallMoE(), smallAttention()) {
		kinds = append(kinds, s.Kind())
	}
	slices.Sort(kinds)
	if kinds = slices.Compact(kinds); !slices.Equal(kinds, kernels.Kinds()) {
		t.Errorf("specs are of %v, the kinds are %v", kinds, kernels.Kinds())
	}
	if !slices.Equal(cpucard.Kinds(), kernels.Kinds()) {
		t.Errorf("the processor computes %v, the kinds are %v", cpucard.Kinds(), kernels.Kinds())
	}
}
