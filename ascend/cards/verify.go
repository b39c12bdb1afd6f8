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
	refuse := func(hint, format string, args ...any) error {
		return &bundle.Error{Path: b.Dir(), Offset: -1, Reason: fmt.Sprintf(format, args...), Hint: hint}
	}
	if len(m.Kernels) == 0 {
		return nil, refuse("compile it with --target "+soc.Products()[0].Name,
			"the bundle has no kernels: it is for %s", m.Targets[0])
	}
	chip, err := soc.Find(m.Targets[0])
	if err != nil {
		return nil, refuse("a newer version of moge may know it", "%v", err)
	}
	var list []gate.Kernel
	for _, k := range m.Kernels {
		spec, err := kernels.UnmarshalSpec(k.Spec)
		if err == nil && spec.KernelName() != k.Name {
			err = fmt.Errorf("the spec is that of %s", spec.KernelName())
		}
		if err != nil {
			return nil, refuse("compile it anew with this version", "kernel %q: %v", k.Name, err)
		}
		text, err := b.FileAsIs(k.Source)
		if err != nil {
			return nil, err
		}
		list = append(list, gate.Kernel{Name: k.Name, Text: text, Spec: spec})
	}
	return gate.Run(ctx, chip, list, o)
}
