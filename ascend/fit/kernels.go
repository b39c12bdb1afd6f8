package fit

import (
	"errors"
	"fmt"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernels"
	"moge/ascend/model"
	"moge/ascend/soc"
)

// build makes the kernels of a model and says of which no kernel can be made. Lowering, and proving
// what was lowered, is left to compilation: it takes longer than an answer may.
func build(m *model.Model) ([]*kernel.Kernel, []Finding) {
	var list []*kernel.Kernel
	var findings []Finding
	for _, s := range m.Specs() {
		k, err := s.Kernel()
		if err != nil {
			findings = append(findings, refused(err))
			continue
		}
		list = append(list, k)
	}
	return list, findings
}

// refused turns an error of a kernel or of its choice into a finding.
func refused(err error) Finding {
	f := Finding{Blocks: true, Rule: "kernel", Why: err.Error(), Instead: onCPU}
	var unsupported *model.UnsupportedError
	var tiling *kernels.TilingError
	var spec *kernels.SpecError
	switch {
	case errors.As(err, &unsupported):
		f.Where, f.Why = unsupported.Site, "no kernel for "+unsupported.Op+": "+unsupported.Reason
	case errors.As(err, &tiling):
		f.Rule = "tiling"
	case errors.As(err, &spec):
		f.Rule = "limit"
		if flag := limitFlags[spec.Field]; flag != "" {
			f.Instead = fmt.Sprintf("another %s: it must be %s", flag, spec.Want)
		}
	}
	return f
}

// limitFlags are the flags behind fields of specs that are no shapes of the model.
var limitFlags = map[string]string{
	"MaxTokens": "--max-batch-tokens", "MaxRows": "--max-batch-tokens", "MaxSequences": "--max-seqs",
	"MaxPages": "--context", "PoolPages": "--context",
}

// programs are stand-ins for kernels that are not lowered: their tensors, and the areas where cores meet,
// for every kernel, though not all need one.
func programs(chip *soc.Chip, list []*kernel.Kernel) []*device.Program {
	var programs []*device.Program
	for _, k := range list {
		programs = append(programs, &device.Program{Name: k.Name, Chip: chip, Params: k.Params,
			Globals: append(k.Globals[:len(k.Globals):len(k.Globals)], meeting(chip))})
	}
	return programs
}

// meeting is the tensor that lowering adds to kernels whose cores wait for each other.
func meeting(chip *soc.Chip) *kernel.Global {
	return &kernel.Global{Name: lower.SyncArea, Elem: soc.Int32, Role: kernel.InOut,
		Shape: kernel.Matrix(kernel.N(int(chip.At(soc.AICores))), kernel.Block/4)}
}
