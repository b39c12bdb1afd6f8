package bundle

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"moge/formats/bundle/bundlepb"
)

const (
	maxBlocks = 1 << 16
	maxSpec   = 1 << 16 // bytes
)

// validateKernels checks the table of kernels, that every launch is of one of them, and the gate's
// rows.
func validateKernels(m *bundlepb.Manifest, files bool) error {
	last, table := "", map[string]*bundlepb.Kernel{}
	for i, k := range m.Kernels {
		where := fmt.Sprintf("kernels[%d]", i)
		if k.Name <= last || len(k.Name) > maxName {
			return invalid("", -1, "%s: names are not sorted, unique and non-empty", where)
		}
		last, table[k.Name] = k.Name, k
		if err := validateKernel(where, k); err != nil {
			return err
		}
		listed := func(f *bundlepb.File) bool { return f.Path == k.Source }
		if files && !slices.ContainsFunc(m.Files, listed) {
			return invalid("", -1, "%s: source %q is no file of the bundle", where, k.Source)
		}
	}
	for _, p := range m.Programs {
		for i, s := range p.Steps {
			if s.Op != bundlepb.OpCode_LAUNCH {
				continue
			}
			k := table[s.Variant]
			if k == nil {
				return invalid("", -1, "program %q.steps[%d]: there is no kernel %q", p.Name, i, s.Variant)
			}
			if len(s.Args) != len(k.Tensors) {
				return invalid("", -1, "program %q.steps[%d]: %d tensors for kernel %q, which takes %d",
					p.Name, i, len(s.Args), s.Variant, len(k.Tensors))
			}
		}
	}
	return validateGate(m.Gate, table)
}

func validateKernel(where string, k *bundlepb.Kernel) error {
	switch {
	case k.Blocks < 1 || k.Blocks > maxBlocks:
		return invalid("", -1, "%s: %d blocks", where, k.Blocks)
	case len(k.Tensors)+len(k.Scalars) > maxOperands || len(k.Spec) > maxSpec:
		return invalid("", -1, "%s: more than %d arguments, or a spec of more than %d bytes", where,
			maxOperands, maxSpec)
	}
	names := map[string]bool{}
	for _, t := range k.Tensors {
		if t.Role < bundlepb.TensorRole_ROLE_IN || t.Role > bundlepb.TensorRole_ROLE_ZEROED {
			return invalid("", -1, "%s: tensor %q has the unknown role %d", where, t.Name, t.Role)
		}
		if err := validateName(where+".tensors", t.Name, names); err != nil {
			return err
		}
	}
	for _, s := range k.Scalars {
		if err := validateName(where+".scalars", s, names); err != nil {
			return err
		}
	}
	return nil
}

func validateGate(g *bundlepb.Gate, table map[string]*bundlepb.Kernel) error {
	if g == nil {
		return nil
	}
	names := map[string]bool{}
	for i, r := range g.Rows {
		where := fmt.Sprintf("gate.rows[%d]", i)
		if err := validateName(where, r.Kernel, names); err != nil {
			return err
		}
		if table[r.Kernel] == nil || r.Cases < 0 || r.Cycles < 0 || math.IsNaN(r.Error) || r.Error < 0 {
			return invalid("", -1, "%s: no kernel %q, or a negative count", where, r.Kernel)
		}
	}
	if missing := len(table) - len(g.Rows); g.Passed && missing != 0 {
		return invalid("", -1, "gate: passed, but %d kernels have no row", missing)
	}
	return nil
}

// below reports whether a path lies below a folder that ends in a slash; nothing lies below "".
func below(path, folder string) bool { return folder != "" && strings.HasPrefix(path, folder) }
