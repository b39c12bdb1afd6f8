package placement

import (
	"slices"
	"strings"
	"testing"
)

// published is Pangu Pro MoE (paper Table 1).
var published = Model{Heads: 40, KVHeads: 8, Experts: 64, Groups: 8, PerToken: 8, ExpertWidth: 1344,
	SharedWidth: 5376, Vocabulary: 153376}

var card = Rules{Align: 32, VocabAlign: 16, MaxPadding: 0.15, MaxRanks: 32}

func TestH2PIsThePapers(t *testing.T) {
	p := H2P(8)
	if got, want := p.String(), "attn=dp2,tp4:experts=ep4,tp2:shared=tp8:embed=tp1:head=tp8"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	for _, c := range []struct {
		name string
		g    Group
		rank int
		want []int
	}{
		{"attention", p.Attn.TensorGroup(), 5, []int{4, 5, 6, 7}},
		{"data", p.Attn.DataGroup(), 5, []int{1, 5}},
		{"expert tensors", p.Experts.TensorGroup(), 5, []int{4, 5}},
		{"experts", p.Experts.ExpertGroup(), 5, []int{1, 3, 5, 7}},
		{"world", p.Experts.ModelGroup(), 5, []int{0, 1, 2, 3, 4, 5, 6, 7}},
	} {
		if got := c.g.Members(c.rank); !slices.Equal(got, c.want) {
			t.Errorf("%s of rank %d: %v, want %v", c.name, c.rank, got, c.want)
		}
	}
	if err := p.Check(published, card); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"h2p", H2P(8).String()},
		{"attn=dp2,tp4:experts=ep4,tp2:shared=tp8", H2P(8).String()},
		{"attn=tp4", "attn=dp2,tp4:experts=ep8:shared=tp8:embed=tp1:head=tp8"},
		{"attn=dp8:experts=dp2,ep4:shared=dp8:embed=tp1:head=tp2",
			"attn=dp8:experts=dp2,ep4:shared=dp8:embed=tp1:head=tp2"},
	} {
		p, err := Parse(c.text, 8)
		if err != nil || p.String() != c.want {
			t.Errorf("%s: %v, %v, want %s", c.text, p, err, c.want)
		}
		if again, err := Parse(p.String(), 8); err != nil || again != p {
			t.Errorf("%s does not parse as printed: %v", p, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"attn":                `placement "attn": "attn" is not a part given once, such as attn=dp2,tp4`,
		"attn=tp8:attn=tp8":   `placement "attn=tp8:attn=tp8": "attn=tp8" is not a part given once, such as attn=dp2,tp4`,
		"attn=ep8":            `placement "attn=ep8": attn=ep8: "ep8" is not a degree of it: want dp, tp and a number`,
		"attn=tp08":           `placement "attn=tp08": attn=tp08: "tp08" is not one degree from 1 to 256`,
		"attn=tp4,tp2":        `placement "attn=tp4,tp2": attn=tp4,tp2: "tp2" is not one degree from 1 to 256`,
		"attn=tp0":            `placement "attn=tp0": attn=tp0: "tp0" is not one degree from 1 to 256`,
		"attn=dp2,tp2":        `placement "attn=dp2,tp2": attn=dp2,tp2 is for 4 ranks, there are 8`,
		"experts=ep3":         `placement "experts=ep3": experts=ep3 is for 6 ranks, there are 8`,
		"router=tp8":          `placement "router=tp8": unknown part "router": parts are attn, experts, shared, embed, head`,
		"head=ep8":            `placement "head=ep8": head=ep8: "ep8" is not a degree of it: want tp and a number`,
		"attn=tp99999999999 ": `placement "attn=tp99999999999 ": attn=tp99999999999 : "tp99999999999 " is not one degree from 1 to 256`,
	} {
		if _, err := Parse(text, 8); err == nil || err.Error() != want {
			t.Errorf("%s:\n%v, want\n%s", text, err, want)
		}
	}
	if _, err := Parse("h2p", 0); err == nil || err.Error() != "0 devices: there must be 1 to 256" {
		t.Error(err)
	}
}

func TestCheckSaysWhy(t *testing.T) {
	ungrouped := published
	ungrouped.Groups = 0
	for _, c := range []struct {
		text  string
		model Model
		rules Rules
		want  string
	}{
		{"attn=tp16:shared=tp16:experts=ep8,tp2", published, card, "attention tp16 does not divide 40 heads and 8 KV heads"},
		{"experts=ep4,tp2", ungrouped, card,
			"ep4: the router is not grouped, so that how many rows a rank's experts get is not known before a step; use tp"},
		{"experts=ep16:attn=tp8:shared=tp8", published, card, "ep16 does not divide 8 groups of experts"},
		{"experts=tp8", published, Rules{Align: 32, VocabAlign: 16, MaxPadding: 0.1},
			"expert width: 168 of 1344 pads to 192, 14.3 % more; --max-padding allows 10.0 %"},
		{"h2p", published, Rules{Align: 32, VocabAlign: 16, MaxRanks: 4}, "collectives of this machine join 4 ranks at most"},
		{"h2p", published, Rules{Align: 32, VocabAlign: 16},
			"vocabulary of the head: 19172 of 153376 pads to 19184, 0.1 % more; --max-padding allows 0.0 %"},
		{"embed=tp8:attn=dp2,tp4", published, card,
			"embed tp8 is neither 1 nor the tp4 of attention, whose ranks see the same tokens"},
		{"shared=tp8", Model{Heads: 8, KVHeads: 8, SharedWidth: 5, Vocabulary: 64}, Rules{},
			"shared width of 5 cannot be split 8 ways"},
		{"shared=tp8", Model{Heads: 8, KVHeads: 8, SharedWidth: 63, Vocabulary: 64}, Rules{EqualWidths: true},
			"shared width of 63 does not make 8 equal parts, as this machine or scheme needs"},
		{"shared=tp8", Model{Heads: 8, KVHeads: 8, SharedWidth: 64, Vocabulary: 63}, Rules{EqualHead: true},
			"vocabulary of the head of 63 does not make 8 equal parts, as this machine or scheme needs"},
	} {
		devices := 8
		if strings.Contains(c.text, "16") {
			devices = 16
		}
		p, err := Parse(c.text, devices)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Check(c.model, c.rules); err == nil || err.Error() != "placement "+p.String()+": "+c.want {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
	six := Placement{6, Degrees{3, 1, 2}, Degrees{2, 1, 3}, Degrees{6, 1, 1}, 1, 1}
	m := Model{Heads: 6, KVHeads: 6, Experts: 6, ExpertWidth: 96, SharedWidth: 96, Vocabulary: 96}
	if err := six.Check(m, Rules{}); err == nil ||
		!strings.HasSuffix(err.Error(), "groups of 2 and of 3 ranks do not lie inside one another") {
		t.Error(err)
	}
}

// TestListWholeHead: a head that cannot be split is whole.
func TestListWholeHead(t *testing.T) {
	m := Model{Heads: 3, KVHeads: 3, SharedWidth: 96, Vocabulary: 64}
	list := List(m, Rules{EqualHead: true, MaxPadding: 1}, 3)
	if len(list) == 0 {
		t.Fatal("nothing is legal")
	}
	for _, p := range list {
		if p.HeadTP != 1 {
			t.Errorf("%v splits 64 rows 3 ways", p)
		}
	}
}

// TestList: what is listed is legal, and what is legal among all degrees is listed.
func TestList(t *testing.T) {
	for _, devices := range []int{1, 2, 4, 8} {
		list := List(published, card, devices)
		if len(list) == 0 || list[0] != H2P(devices) {
			t.Fatalf("%d devices: %d placements, the first is %v", devices, len(list), list)
		}
		for i, p := range list {
			if err := p.Check(published, card); err != nil {
				t.Error(err)
			}
			if slices.Contains(list[:i], p) {
				t.Errorf("%v stands twice", p)
			}
		}
		t.Logf("%d devices: %d placements", devices, len(list))
	}
}
