package balance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir/placement"
)

var pangu = Router{Experts: 64, TopK: 8, Groups: 8}

// onRanks is a placement whose experts have these degrees.
func onRanks(ep, tp int) placement.Placement {
	p := placement.H2P(ep * tp)
	p.Experts = placement.Degrees{DP: 1, EP: ep, TP: tp}
	return p
}

func TestCertify(t *testing.T) {
	for _, c := range []struct {
		name   string
		router Router
		ep     int
		exact  bool
		rows   string
		groups int64
		picks  int64
		reason string
	}{
		{"H2P", pangu, 4, true, "2/1", 2, 1,
			"of each of 8 groups a token takes 1; whole groups of a rank: 2; rows of a token there: 2"},
		{"a group a rank", pangu, 8, true, "1/1", 1, 1,
			"of each of 8 groups a token takes 1; whole groups of a rank: 1; rows of a token there: 1"},
		{"two of a group", Router{24, 8, 4}, 4, true, "2/1", 1, 2,
			"of each of 4 groups a token takes 2; whole groups of a rank: 1; rows of a token there: 2"},
		{"one rank", Router{64, 8, 0}, 1, true, "8/1", 0, 0,
			"each rank has all 64 experts, so each of the 8 that a token takes"},
		{"no groups", Router{64, 8, 0}, 8, false, "8/1", 0, 0,
			"the router takes any 8 of 64 experts: where they lie, the input decides"},
		{"few experts a rank", Router{64, 8, 1}, 16, false, "4/1", 0, 0,
			"the router takes any 8 of 64 experts: where they lie, the input decides"},
		{"half a group", pangu, 16, false, "1/1", 0, 1,
			"8 groups of experts do not lie whole on 16 ranks: which part of one a token takes, the input decides"},
		{"groups across ranks", Router{24, 6, 6}, 4, false, "2/1", 0, 1,
			"6 groups of experts do not lie whole on 4 ranks: which part of one a token takes, the input decides"},
		{"unequal groups", Router{64, 6, 4}, 4, false, "6/1", 0, 0,
			"6 of 64 experts are not equally many of each of 4 groups: where they lie, the input decides"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Certify(c.router, onRanks(c.ep, 1))
			rows := fmt.Sprintf("%d/%d", got.RowsNumerator, got.RowsDenominator)
			if got.Exact != c.exact || rows != c.rows || got.GroupsPerRank != c.groups ||
				got.PicksPerGroup != c.picks || got.Reason != c.reason || got.EP != int64(c.ep) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// choose takes the experts of one token as a router may.
func choose(random *rand.Rand, r Router) []int64 {
	groups := max(r.Groups, 1)
	if !r.grouped() {
		groups = 1
	}
	var chosen []int64
	for g := range groups {
		for _, e := range random.Perm(int(r.Experts / groups))[:r.TopK/groups] {
			chosen = append(chosen, g*(r.Experts/groups)+int64(e))
		}
	}
	return chosen
}

// TestCertificateHoldsForRandomTokens counts rows of routers that choose at random, in batches that
// have no structure but the router's, and checks every claim on them.
func TestCertificateHoldsForRandomTokens(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, r := range []Router{pangu, {64, 8, 0}, {24, 8, 4}, {24, 6, 6}, {32, 8, 8}, {16, 4, 2}} {
		for _, ep := range []int{1, 2, 4, 8, 16} {
			if r.Experts%int64(ep) != 0 {
				continue
			}
			c := Certify(r, onRanks(ep, 1))
			reached := false
			for range 50 {
				tokens := int64(1 + random.IntN(5))
				rows := make([]int64, ep)
				for range tokens {
					for _, e := range choose(random, r) {
						rows[e/(r.Experts/int64(ep))]++
					}
				}
				for rank, n := range rows {
					if n > c.Rows(tokens) || c.Exact && n != c.Rows(tokens) {
						t.Fatalf("%+v: rank %d has %d rows of %d tokens, certified are %d", c, rank, n, tokens,
							c.Rows(tokens))
					}
					reached = reached || n == c.Rows(tokens)
				}
			}
			if r.grouped() && !reached {
				t.Errorf("%+v: no batch comes near the worst case", c)
			}
		}
	}
}

// manifest is H2P of a grouped model, certified.
func manifest() *bundlepb.Manifest {
	degrees := func(dp, ep, tp uint32) *bundlepb.Degrees {
		return &bundlepb.Degrees{Dp: dp, Ep: ep, Tp: tp}
	}
	m := &bundlepb.Manifest{
		Model: &bundlepb.Model{Experts: 64, ExpertsPerToken: 8, Groups: 8},
		Placement: &bundlepb.Placement{Devices: 8, Attention: degrees(2, 0, 4), Experts: degrees(0, 4, 2),
			Shared: degrees(0, 0, 8), HeadTp: 8},
		Programs: []*bundlepb.Program{{Name: "step", Steps: []*bundlepb.Step{
			{Op: bundlepb.OpCode_ADD},
			{Op: bundlepb.OpCode_MOE_GATE, Site: "layers.0.mlp.router", Attrs: []*bundlepb.Attr{
				{Name: "groups", Value: &bundlepb.Attr_I{I: 8}}}},
		}}},
	}
	m.Certificate = For(m)
	return m
}

func TestCheck(t *testing.T) {
	if err := Check(manifest()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(m *bundlepb.Manifest)
		want   string
	}{
		{"missing", func(m *bundlepb.Manifest) { m.Certificate = nil },
			"the bundle has experts on 8 ranks and no balance certificate"},
		{"needless", func(m *bundlepb.Manifest) { m.Placement = nil },
			"the bundle has a balance certificate and no experts on several ranks"},
		{"fewer rows", func(m *bundlepb.Manifest) { m.Certificate.RowsNumerator = 1 },
			"the balance certificate says exactly 1/1 rows a token on ep4, " +
				"from model and placement follows exactly 2/1 rows a token on ep4"},
		{"router without groups", func(m *bundlepb.Manifest) { m.Model.Groups = 0 },
			"the balance certificate says exactly 2/1 rows a token on ep4, " +
				"from model and placement follows at most 8/1 rows a token on ep4"},
		{"other groups in the program", func(m *bundlepb.Manifest) {
			m.Programs[0].Steps[1].Attrs[0].Value = &bundlepb.Attr_I{I: 4}
		}, `program "step", step 1: layers.0.mlp.router chooses in 4 groups, the certificate is for 8`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := manifest()
			c.change(m)
			err := Check(m)
			if err == nil || err.Error() != c.want+"; compile the bundle anew" {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestCheckOfOneRank(t *testing.T) {
	m := &bundlepb.Manifest{Model: &bundlepb.Model{Experts: 64, ExpertsPerToken: 8}}
	if err := Check(m); err != nil {
		t.Error(err)
	}
	m = manifest()
	m.Model.Experts, m.Certificate = 0, nil
	if err := Check(m); err != nil {
		t.Error(err)
	}
}

func TestPlacementOf(t *testing.T) {
	if got, want := PlacementOf(manifest()).String(), placement.H2P(8).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := PlacementOf(&bundlepb.Manifest{}); got != placement.Single() {
		t.Errorf("got %v", got)
	}
}

func TestReasonsFitAManifest(t *testing.T) {
	const most = 1 << 40
	for _, r := range []Router{{most, most, most}, {most, most - 1, most}, {most, most, 0}} {
		reason := Certify(r, onRanks(2, 1)).Reason
		if len(reason) > 1024 || strings.ContainsRune(reason, '\n') {
			t.Errorf("%q", reason)
		}
	}
}
