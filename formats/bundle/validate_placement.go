package bundle

import (
	"strings"

	"moge/formats/bundle/bundlepb"
)

// validatePlacement checks that the placement is one of the ranks that there are, and that the
// certificate follows from it.
func validatePlacement(m *bundlepb.Manifest) error {
	p, ranks := m.Placement, len(m.Ranks)
	if p == nil {
		if ranks > 1 {
			return invalid("", -1, "%d ranks without a placement", ranks)
		}
		return validateBalance(m)
	}
	if int64(p.Devices) != int64(ranks) {
		return invalid("", -1, "placement: %d devices, there are %d ranks", p.Devices, ranks)
	}
	for _, part := range []struct {
		name           string
		degrees        *bundlepb.Degrees
		needed, expert bool
	}{
		{"attention", p.Attention, true, false},
		{"experts", p.Experts, m.Model.Experts > 0, true},
		{"shared", p.Shared, false, false},
	} {
		if part.degrees == nil && !part.needed {
			continue
		}
		d := DegreesOf(part.degrees)
		if d.DP > ranks || d.EP > ranks || d.TP > ranks || d.DP*d.EP*d.TP != ranks {
			return invalid("", -1, "placement: %s dp%d,ep%d,tp%d is not for %d ranks", part.name,
				d.DP, d.EP, d.TP, ranks)
		}
		if d.EP > 1 && !part.expert {
			return invalid("", -1, "placement: %s has ep%d, which only routed experts have", part.name, d.EP)
		}
	}
	for _, table := range []struct {
		name  string
		parts uint32
	}{{"embed", p.EmbedTp}, {"head", p.HeadTp}} {
		if n := max(table.parts, 1); int64(n) > int64(ranks) || ranks%int(n) != 0 {
			return invalid("", -1, "placement: %s tp%d does not divide %d ranks", table.name, n, ranks)
		}
	}
	return validateBalance(m)
}

// validateBalance checks what the certificate says against the model and the placement.
func validateBalance(m *bundlepb.Manifest) error {
	c := m.Certificate
	if c == nil {
		return nil
	}
	ep := DegreesOf(m.GetPlacement().GetExperts()).EP
	if c.K != m.Model.ExpertsPerToken || c.Ep != int64(ep) {
		return invalid("", -1, "certificate: %d experts a token and ep%d, the model and the placement have "+
			"%d and ep%d", c.K, c.Ep, m.Model.ExpertsPerToken, ep)
	}
	n, d := c.RowsNumerator, c.RowsDenominator
	if !inRange(c.K) || !inRange(d) || n < 0 || n > c.K*d || c.Exact && n*c.Ep != d*c.K {
		return invalid("", -1, "certificate: %d/%d rows of a rank for each row, of %d experts a token and ep%d",
			n, d, c.K, c.Ep)
	}
	groups := m.Model.Groups
	if g := c.GroupsPerRank; g != 0 && (g != groups/c.Ep || groups%c.Ep != 0) {
		return invalid("", -1, "certificate: %d groups a rank of %d groups and ep%d", g, groups, c.Ep)
	}
	if len(c.Reason) > maxName || strings.ContainsFunc(c.Reason, func(r rune) bool { return r < ' ' }) {
		return invalid("", -1, "certificate: the reason is no line of at most %d bytes", maxName)
	}
	return nil
}
