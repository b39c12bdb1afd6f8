package cards

import (
	"context"
	"fmt"

	"moge/ascend/gate"
	"moge/ascend/kernels"
	"moge/ascend/soc"
	"moge/formats/bundle"
)

// Verify executes the kernels of a bundle as its files have them, edited ones too, and compares what
// they give with the references of their specs.
func Verify(ctx context.Context, b *bundle.Bundle, o gate.Options) (*gate.Report, error) {
	m := b.Manifest()
	if len(m.Kernels) == 0 {
		return nil, &bundle.Error{
			Path:   b.Dir(),
			Offset: -1,
			Reason: "the bundle has no kernels: it is for " + m.Targets[0],
			Hint:   "compile it with --target " + soc.Products()[0].Name,
		}
	}
	chip, err := soc.Find(m.Targets[0])
	if err != nil {
		return nil, &bundle.Error{
			Path:   b.Dir(),
			Offset: -1,
			Reason: err.Error(),
			Hint:   "a newer version of moge may know it",
		}
	}
	var list []gate.Kernel
	for _, k := range m.Kernels {
		spec, err := kernels.UnmarshalSpec(k.Spec)
		if err == nil && spec.KernelName() != k.Name {
			err = fmt.Errorf("the spec is that of %s", spec.KernelName())
		}
		if err != nil {
			return nil, &bundle.Error{
				Path:   b.Dir(),
				Offset: -1,
				Reason: fmt.Sprintf("kernel %q: %v", k.Name, err),
				Hint:   "compile it anew with this version",
			}
		}
		text, err := b.FileAsIs(k.Source)
		if err != nil {
			return nil, err
		}
		list = append(list, gate.Kernel{Name: k.Name, Text: text, Spec: spec})
	}
	return gate.Run(ctx, chip, list, o)
}
