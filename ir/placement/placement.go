package placement

import (
	"fmt"
	"strconv"
	"strings"
)

// Degrees are the degrees of one part of a model; their product is the number of ranks. Ranks that
// split tensors are neighbours, groups of them split experts, and groups of those split tokens.
type Degrees struct {
	DP int // data parallel: groups that have different tokens
	EP int // expert parallel: groups that have different experts; 1 but for routed experts
	TP int // tensor parallel: ranks that split each tensor
}

// Ranks is how many ranks the degrees are for.
func (d Degrees) Ranks() int { return d.DP * d.EP * d.TP }

// String is the spelling in a placement: dp2,tp4.
func (d Degrees) String() string {
	var parts []string
	for _, p := range []struct {
		name   string
		degree int
	}{{"dp", d.DP}, {"ep", d.EP}, {"tp", d.TP}} {
		if p.degree > 1 {
			parts = append(parts, p.name+strconv.Itoa(p.degree))
		}
	}
	if parts == nil {
		return "tp1"
	}
	return strings.Join(parts, ",")
}

// Placement is how a model lies over ranks. Router and norms are on every rank.
type Placement struct {
	Devices int
	Attn    Degrees
	Experts Degrees // routed
	Shared  Degrees // shared expert, or the whole MLP of a layer without experts
	// EmbedTP and HeadTP are the parts that the embedding and the head are split into by vocabulary;
	// Devices/TP groups of ranks hold the same.
	EmbedTP, HeadTP int
}

// Single is everything on one rank.
func Single() Placement {
	one := Degrees{1, 1, 1}
	return Placement{1, one, one, one, 1, 1}
}

// H2P is the hierarchical and hybrid parallelism of Pangu Pro MoE (paper §4.2.1): on 8 chips
// attention DP2·TP4, since four chips have one host, routed experts EP4·TP2, shared expert TP8, and
// here a whole embedding on each chip and a head in as many parts as chips.
func H2P(devices int) Placement {
	attn := min(4, devices)
	expertTP := 1
	if devices >= 4 {
		expertTP = 2
	}
	return Placement{
		Devices: devices,
		Attn:    Degrees{DP: devices / attn, EP: 1, TP: attn},
		Experts: Degrees{DP: 1, EP: devices / expertTP, TP: expertTP},
		Shared:  Degrees{DP: 1, EP: 1, TP: devices},
		EmbedTP: 1, HeadTP: devices,
	}
}

// String is the spelling that Parse reads: attn=dp2,tp4:experts=ep4,tp2:shared=tp8:embed=tp1:head=tp8.
func (p Placement) String() string {
	return fmt.Sprintf("attn=%v:experts=%v:shared=%v:embed=tp%d:head=tp%d",
		p.Attn, p.Experts, p.Shared, p.EmbedTP, p.HeadTP)
}

// Group is ranks that work together: rank r is member (r/Stride)%Size of its group, and the members
// are Stride apart.
type Group struct{ Size, Stride int }

// Index is the number of a rank among the members of its group.
func (g Group) Index(rank int) int { return rank / g.Stride % g.Size }

// Members lists the ranks of the group that a rank belongs to.
func (g Group) Members(rank int) []int {
	first := rank - g.Index(rank)*g.Stride
	members := make([]int, g.Size)
	for i := range members {
		members[i] = first + i*g.Stride
	}
	return members
}

// TensorGroup is the ranks that split tensors.
func (d Degrees) TensorGroup() Group { return Group{d.TP, 1} }

// ExpertGroup is the ranks that have different experts, and the same part of each.
func (d Degrees) ExpertGroup() Group { return Group{d.EP, d.TP} }

// ModelGroup is the ranks that together hold a whole part of the model: those that see the same tokens.
func (d Degrees) ModelGroup() Group { return Group{d.EP * d.TP, 1} }

// DataGroup is the ranks that hold the same and see different tokens.
func (d Degrees) DataGroup() Group { return Group{d.DP, d.EP * d.TP} }
