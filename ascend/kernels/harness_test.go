package kernels

import (
	"context"
	"encoding/binary"
	"os"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// cores is the number of blocks of a launch.
const cores = 8

// rig is an emulated 310P chip that predicts times of kernels, compiled together. What they compute
// is for the gate to check: see gated.
type rig struct {
	t        testing.TB
	dev      *emu.Device
	programs map[string]*device.Program
}

// launch is one run: values of parameters and contents of tensors by name. Tensors that are missing
// are zeros.
type launch struct {
	kernel  string
	params  map[string]int
	tensors map[string][]byte
}

func chip(t testing.TB) *soc.Chip {
	t.Helper()
	for _, c := range soc.Chips() {
		if c.Name() == "Ascend310P3" {
			return c
		}
	}
	t.Fatal("no chip Ascend310P3")
	return nil
}

// built unwraps a kernel that a test needs.
func built(t testing.TB) func(k *kernel.Kernel, err error) *kernel.Kernel {
	return func(k *kernel.Kernel, err error) *kernel.Kernel {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
}

// newRig lowers and compiles kernels for a device with so many MiB of memory. Without a C++
// compiler the test is skipped, loudly, and fails in CI.
func newRig(t testing.TB, mebibytes int64, ks ...*kernel.Kernel) *rig {
	t.Helper()
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	r := &rig{t: t, programs: map[string]*device.Program{}}
	var sources []emu.Source
	for _, k := range ks {
		p, err := lower.Lower(k, chip(t))
		if err != nil {
			t.Fatal(err)
		}
		r.programs[k.Name] = p
		text := string(device.Print(p, device.CANN8))
		sources = append(sources, emu.Source{Name: k.Name, Text: text})
	}
	lib, err := emu.Compile(context.Background(), chip(t), sources)
	if err != nil {
		t.Fatal(err)
	}
	r.dev, err = lib.Start(context.Background(), mebibytes<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.dev.Close()
		lib.Close()
	})
	return r
}

func (r *rig) place(g *kernel.Global, c *launch, value func(*scalar.Var) int64) emu.Addr {
	r.t.Helper()
	size := g.Bytes(value)
	at, err := r.dev.Alloc(size)
	if err != nil {
		r.t.Fatal(err)
	}
	data := c.tensors[g.Name]
	if int64(len(data)) > size {
		r.t.Fatalf("%s: %d bytes for %s, which has %d", c.kernel, len(data), g.Name, size)
	}
	to := r.dev.Bytes(at, size)
	clear(to)
	copy(to, data)
	return at
}

func roleOf(g *kernel.Global) emu.Role {
	if g.Name == lower.SyncArea {
		return emu.Zeroed
	}
	return [...]emu.Role{kernel.In: emu.In, kernel.Out: emu.Out, kernel.InOut: emu.InOut,
		kernel.Scratch: emu.Workspace}[g.Role]
}

func ints(xs []int32) []byte {
	out := make([]byte, 4*len(xs))
	for i, x := range xs {
		binary.LittleEndian.PutUint32(out[4*i:], uint32(x))
	}
	return out
}
