package bundle

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"moge/formats/bundle/bundlepb"
)

// carded is a valid manifest with one kernel that its first step launches, and a gate.
func carded() *bundlepb.Manifest {
	m := hashedManifest()
	m.Files = append(m.Files, &bundlepb.File{Path: "zzz/k.cpp", Sha256: anySum})
	s := firstStep(m)
	s.Op, s.Variant = bundlepb.OpCode_LAUNCH, "k"
	k := &bundlepb.Kernel{
		Name:    "k",
		Source:  "zzz/k.cpp",
		Blocks:  8,
		Scalars: []string{"tokens"},
		Spec:    []byte("{}"),
	}
	for i := range s.Args {
		k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: string(rune('a' + i)),
			Role: bundlepb.TensorRole_ROLE_IN})
	}
	m.Kernels = []*bundlepb.Kernel{k}
	m.Gate = &bundlepb.Gate{Passed: true, Rows: []*bundlepb.GateRow{{Kernel: "k", Cases: 3}}}
	return m
}

func TestKernelsAreValidated(t *testing.T) {
	if err := Validate(carded(), true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []refusal{
		{func(m *bundlepb.Manifest) { m.Kernels[0].Name = "" },
			"kernels[0]: names are not sorted, unique and non-empty"},
		{func(m *bundlepb.Manifest) { m.Kernels = append(m.Kernels, m.Kernels[0]) },
			"kernels[1]: names are not sorted, unique and non-empty"},
		{func(m *bundlepb.Manifest) { m.Kernels[0].Source = "other" },
			`kernels[0]: source "other" is no file of the bundle`},
		{func(m *bundlepb.Manifest) { m.Kernels[0].Blocks = 0 }, "kernels[0]: 0 blocks"},
		{func(m *bundlepb.Manifest) { m.Kernels[0].Spec = make([]byte, maxSpec+1) },
			"kernels[0]: more than 4096 arguments, or a spec of more than 65536 bytes"},
		{func(m *bundlepb.Manifest) { m.Kernels[0].Tensors[0].Role = 6 },
			`kernels[0]: tensor "a" has the unknown role 6`},
		{func(m *bundlepb.Manifest) { m.Kernels[0].Scalars = []string{"a"} },
			`kernels[0].scalars: name "a" appears twice`},
		{func(m *bundlepb.Manifest) { firstStep(m).Variant = "x" },
			`program "step".steps[0]: there is no kernel "x"`},
		{func(m *bundlepb.Manifest) { m.Kernels[0].Tensors = nil },
			`program "step".steps[0]: 3 tensors for kernel "k", which takes 0`},
		{func(m *bundlepb.Manifest) { m.Gate.Rows = nil }, "gate: passed, but 1 kernels have no row"},
		{func(m *bundlepb.Manifest) { m.Gate.Rows[0].Kernel = "x" },
			`gate.rows[0]: no kernel "x", or a negative count`},
	} {
		m := proto.CloneOf(carded())
		c.edit(m)
		wantError(t, Validate(m, true), c.want)
	}
}
