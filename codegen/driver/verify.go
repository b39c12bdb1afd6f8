package driver

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
)

// MismatchError says that a bundle is not what its source gives.
type MismatchError struct{ Bundle, What string }

// Error names what differs.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: %s: the bundle was not made from this source, or it was changed", e.Bundle, e.What)
}

// VerifySource derives the plan and every section again from the model and compares them
// with the bundle. The settings are those of the compilation: the manifest must agree with
// what they give. The error is a *MismatchError when something differs.
func VerifySource(ctx context.Context, b *bundle.Bundle, m *Model, s Settings) error {
	s.AllowNonFinite = true // what was compiled is compared, not judged
	p, err := Prepare(ctx, m, s)
	if err != nil {
		return err
	}
	if err := m.describeSources(ctx, p.Graph, s.Execution.Workers, s.stage("hash")); err != nil {
		return err
	}
	if err := describe(p.Plan.Manifest, p.Graph, p.settings); err != nil {
		return err
	}
	if what := differs(p.Plan.Manifest, b.Manifest()); what != "" {
		return &MismatchError{b.Dir(), what}
	}
	for _, f := range p.Files {
		data, err := b.File(f.Path)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, f.Data) {
			return &MismatchError{b.Dir(), f.Path + " differs"}
		}
	}
	return p.compareSections(ctx, b)
}

// differs names the first part of the manifest that is not as derived; hashes of what was
// written, which the plan cannot know, are compared through the bytes.
func differs(want, got *bundlepb.Manifest) string {
	got = proto.CloneOf(got)
	for _, r := range got.Ranks {
		for _, s := range r.Sections {
			s.Sha256 = nil
		}
	}
	parts := []struct {
		name string
		a, b proto.Message
	}{
		{"the facts about the model differ", want.Model, got.Model},
		{"the plan differs", want.Programs[0], firstProgram(got)},
	}
	for _, part := range parts {
		if !proto.Equal(part.a, part.b) {
			return part.name
		}
	}
	sameKernels := func(a, b *bundlepb.Kernel) bool { return proto.Equal(a, b) }
	if !slices.EqualFunc(want.Kernels, got.Kernels, sameKernels) {
		return "the kernels differ"
	}
	if what := differentSources(want.Provenance.Sources, got.GetProvenance().GetSources()); what != "" {
		return what
	}
	sameRank := func(a, b *bundlepb.Rank) bool { return proto.Equal(a, b) }
	if !proto.Equal(want.Placement, got.Placement) || !slices.EqualFunc(want.Ranks, got.Ranks, sameRank) {
		return "the table of sections differs"
	}
	return ""
}

func firstProgram(m *bundlepb.Manifest) *bundlepb.Program {
	if len(m.Programs) == 0 {
		return nil
	}
	return m.Programs[0]
}

// differentSources compares two lists of files, ascending by path.
func differentSources(want, got []*bundlepb.File) string {
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0].Path < got[0].Path:
			return "source file " + want[0].Path + " was not there when it was compiled"
		case len(want) == 0 || got[0].Path < want[0].Path:
			return "source file " + got[0].Path + " is missing"
		case !proto.Equal(want[0], got[0]):
			return "source file " + want[0].Path + " differs"
		}
		want, got = want[1:], got[1:]
	}
	return ""
}

// compareSections evaluates every unit of the plan beside the bytes of the bundle.
func (p *Prepared) compareSections(ctx context.Context, b *bundle.Bundle) error {
	var total, done int64
	for _, u := range p.Plan.Units {
		total += unitBytes(u)
	}
	report := p.settings.stage("compare")
	return mapped.Guard(func() error {
		for _, u := range p.Plan.Units {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := p.compareUnit(b, u); err != nil {
				return err
			}
			if done += unitBytes(u); report != nil {
				report(done, total)
			}
		}
		return nil
	})
}

func unitBytes(u codegen.Unit) int64 {
	var n int64
	for _, e := range u.Extents {
		n += e.Size
	}
	return n
}

func (p *Prepared) compareUnit(b *bundle.Bundle, u codegen.Unit) error {
	out := make([][]byte, len(u.Extents))
	for i, e := range u.Extents {
		out[i] = make([]byte, e.Size)
	}
	if err := u.Eval.Eval(p.source(), u.Lo, u.Hi, out); err != nil {
		return err
	}
	for i, e := range u.Extents {
		rank, err := b.Rank(e.Rank)
		if err != nil {
			return err
		}
		section := p.Plan.Manifest.Ranks[e.Rank].Sections[e.Section]
		if stored := rank.Section(e.Section); !bytes.Equal(out[i], stored[e.Offset:e.Offset+e.Size]) {
			return &MismatchError{b.Dir(), fmt.Sprintf("section %s differs between bytes %d and %d",
				section.Name, e.Offset, e.Offset+e.Size)}
		}
	}
	return nil
}
