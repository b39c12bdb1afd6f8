package balance

import (
	"fmt"

	"moge/ir/placement"
)

// Router is what a certificate must know of a layer's router.
type Router struct {
	Experts int64 // routed experts
	TopK    int64 // experts that one token uses
	Groups  int64 // groups of neighbours that it chooses equally many of; 0 or 1 if it is not grouped
}

// grouped reports whether every token takes equally many experts of each of several equal groups.
func (r Router) grouped() bool {
	return r.Groups > 1 && r.Experts%r.Groups == 0 && r.TopK%r.Groups == 0
}

// Certificate says how many rows the experts of one rank compute in a layer. A row is one token at
// one expert; of experts that several ranks split, each of these computes its part of every row.
type Certificate struct {
	// Exact is true if the number is the same for every rank, layer and input; false if it is what
	// a rank gets at most.
	Exact  bool
	Router Router
	EP     int64 // groups of ranks that have different experts
	// Rows of a rank for each token row that it sees, padding included: RowsNumerator over
	// RowsDenominator, in lowest terms.
	RowsNumerator, RowsDenominator int64
	// GroupsPerRank is how many groups of the router a rank has whole, 0 if groups are cut or there
	// are none; PicksPerGroup how many experts a token takes of each, 0 without groups.
	GroupsPerRank, PicksPerGroup int64
	Reason                       string // one line
}

// Certify derives the certificate. Experts lie in order: expert parallel rank i has those from
// i·ceil(Experts/EP) on. For a grouped router whose groups EP divides the proof is: a token takes
// TopK/Groups experts of each group; a rank has Groups/EP whole groups and no part of another; so
// it gets TopK/Groups · Groups/EP = TopK/EP rows of each token, whichever experts it takes.
func Certify(r Router, p placement.Placement) Certificate {
	c := Certificate{Router: r, EP: max(int64(p.Experts.EP), 1)}
	if r.grouped() {
		c.PicksPerGroup = r.TopK / r.Groups
		if r.Groups%c.EP == 0 {
			c.GroupsPerRank = r.Groups / c.EP
		}
	}
	switch {
	case c.EP == 1:
		c.set(true, r.TopK, 1, fmt.Sprintf(
			"each rank has all %d experts, so each of the %d that a token takes", r.Experts, r.TopK))
	case c.GroupsPerRank > 0:
		c.set(true, r.TopK, c.EP, fmt.Sprintf(
			"of each of %d groups a token takes %d; whole groups of a rank: %d; rows of a token there: %d",
			r.Groups, c.PicksPerGroup, c.GroupsPerRank, c.PicksPerGroup*c.GroupsPerRank))
	default:
		c.set(false, c.worst(), 1, c.inexact())
	}
	return c
}

func (c *Certificate) set(exact bool, n, d int64, reason string) {
	g := gcd(n, d)
	c.Exact, c.RowsNumerator, c.RowsDenominator, c.Reason = exact, n/g, d/g, reason
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, 1)
}

// Rows is how many rows a rank gets of so many token rows: exactly, or at most.
func (c Certificate) Rows(tokens int64) int64 {
	return (tokens*c.RowsNumerator + c.RowsDenominator - 1) / c.RowsDenominator
}

// worst is the most experts of one rank that a token can take.
func (c *Certificate) worst() int64 {
	r := c.Router
	perRank := (r.Experts + c.EP - 1) / c.EP
	if !r.grouped() {
		return min(r.TopK, perRank)
	}
	size, most := r.Experts/r.Groups, int64(0)
	for rank := range c.EP {
		lo, hi := rank*perRank, min((rank+1)*perRank, r.Experts)
		picks := int64(0)
		for g := lo / size; g*size < hi; g++ {
			picks += min(c.PicksPerGroup, min(hi, (g+1)*size)-max(lo, g*size))
		}
		most = max(most, picks)
	}
	return most
}

// inexact says why the number depends on the input.
func (c *Certificate) inexact() string {
	r := c.Router
	switch {
	case r.grouped():
		return fmt.Sprintf("%d groups of experts do not lie whole on %d ranks: which part of one a token takes, "+
			"the input decides", r.Groups, c.EP)
	case r.Groups > 1:
		return fmt.Sprintf("%d of %d experts are not equally many of each of %d groups: where they lie, "+
			"the input decides", r.TopK, r.Experts, r.Groups)
	}
	return fmt.Sprintf("the router takes any %d of %d experts: where they lie, the input decides",
		r.TopK, r.Experts)
}
