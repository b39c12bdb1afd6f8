package balance

import (
	"fmt"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/placement"
)

// RouterOf is the router of a bundle's model.
func RouterOf(m *bundlepb.Model) Router {
	return Router{m.GetExperts(), m.GetExpertsPerToken(), m.GetGroups()}
}

// PlacementOf is the placement of a bundle; one without is placed on a single rank.
func PlacementOf(m *bundlepb.Manifest) placement.Placement {
	p := m.GetPlacement()
	if p == nil {
		return placement.Single()
	}
	return placement.Placement{
		Devices: int(p.Devices),
		Attn:    placement.Degrees(bundle.DegreesOf(p.Attention)),
		Experts: placement.Degrees(bundle.DegreesOf(p.Experts)),
		Shared:  placement.Degrees(bundle.DegreesOf(p.Shared)),
		EmbedTP: int(max(p.EmbedTp, 1)), HeadTP: int(max(p.HeadTp, 1)),
	}
}

// ToProto is the certificate as a manifest has it.
func (c Certificate) ToProto() *bundlepb.Balance {
	return &bundlepb.Balance{Exact: c.Exact, K: c.Router.TopK, Ep: c.EP,
		RowsNumerator: c.RowsNumerator, RowsDenominator: c.RowsDenominator,
		GroupsPerRank: c.GroupsPerRank, Reason: c.Reason}
}

// For is the certificate that belongs into a manifest with its model and placement; nil for one rank
// and for a model without experts.
func For(m *bundlepb.Manifest) *bundlepb.Balance {
	if m.GetPlacement() == nil || m.GetModel().GetExperts() == 0 {
		return nil
	}
	return Certify(RouterOf(m.Model), PlacementOf(m)).ToProto()
}

// Check proves the certificate of a valid manifest again: from its model and placement, and that the
// routers of its programs are the model's. The error is a *bundle.Error without a path.
func Check(m *bundlepb.Manifest) error {
	want, got := For(m), m.GetCertificate()
	switch {
	case want == nil && got == nil:
		return nil
	case got == nil:
		return refuse("the bundle has experts on %d ranks and no balance certificate", m.Placement.Devices)
	case want == nil:
		return refuse("the bundle has a balance certificate and no experts on several ranks")
	case !equal(want, got):
		return refuse("the balance certificate says %s, from model and placement follows %s", text(got),
			text(want))
	}
	if want.Exact && want.Ep > 1 {
		return checkRouters(m)
	}
	return nil
}

// equal compares what a certificate claims; the words of the reason are the writer's.
func equal(a, b *bundlepb.Balance) bool {
	return a.Exact == b.Exact && a.K == b.K && a.Ep == b.Ep && a.GroupsPerRank == b.GroupsPerRank &&
		a.RowsNumerator == b.RowsNumerator && a.RowsDenominator == b.RowsDenominator
}

func text(c *bundlepb.Balance) string {
	word := "at most"
	if c.Exact {
		word = "exactly"
	}
	return fmt.Sprintf("%s %d/%d rows a token on ep%d", word, c.RowsNumerator, c.RowsDenominator, c.Ep)
}

// checkRouters refuses steps that choose experts in another way than the model's grouped router.
func checkRouters(m *bundlepb.Manifest) error {
	for _, p := range m.Programs {
		for i, s := range p.Steps {
			if s.Op != bundlepb.OpCode_MOE_GATE {
				continue
			}
			for _, a := range s.Attrs {
				if a.Name == "groups" && a.GetI() != m.Model.Groups {
					return refuse("program %q, step %d: %s chooses in %d groups, the certificate is for %d",
						p.Name, i, s.Site, a.GetI(), m.Model.Groups)
				}
			}
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return &bundle.Error{Offset: -1, Reason: fmt.Sprintf(format, args...), Hint: "compile the bundle anew"}
}
