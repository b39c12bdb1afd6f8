package placement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// H2PName is the word for H2P in place of degrees.
const H2PName = "h2p"

// Parse reads a placement for a number of ranks: the word h2p, or parts such as
// attn=dp2,tp4:experts=ep4,tp2:shared=tp8. Parts and degrees that are left out follow: of attention
// and shared expert all ranks split tensors, of experts all split experts; a degree of data
// parallelism takes the ranks that the others leave. The embedding is whole on each rank, the head
// split over all. Whether a model can lie so is Check's business.
func Parse(text string, devices int) (Placement, error) {
	if devices < 1 || devices > MaxDevices {
		return Placement{}, fmt.Errorf("%d devices: there must be 1 to %d", devices, MaxDevices)
	}
	if text == H2PName || text == "" {
		return H2P(devices), nil
	}
	p := Placement{Devices: devices, EmbedTP: 1, HeadTP: devices}
	p.Attn, p.Shared = Degrees{1, 1, devices}, Degrees{1, 1, devices}
	p.Experts = Degrees{1, devices, 1}
	var seen []string
	for _, part := range strings.Split(text, ":") {
		name, degrees, ok := strings.Cut(part, "=")
		if !ok || slices.Contains(seen, name) {
			return Placement{}, fmt.Errorf(
				"placement %q: %q is not a part given once, such as attn=dp2,tp4",
				text,
				part,
			)
		}
		seen = append(seen, name)
		if err := p.set(name, degrees); err != nil {
			return Placement{}, fmt.Errorf("placement %q: %w", text, err)
		}
	}
	return p, nil
}

// MaxDevices bounds the ranks of a placement.
const MaxDevices = 256

func (p *Placement) set(name, text string) error {
	targets := map[string]*Degrees{"attn": &p.Attn, "experts": &p.Experts, "shared": &p.Shared}
	if d := targets[name]; d != nil {
		allowed := "dp tp"
		if name == "experts" {
			allowed = "dp ep tp"
		}
		return parseDegrees(d, name, text, allowed, p.Devices)
	}
	tables := map[string]*int{"embed": &p.EmbedTP, "head": &p.HeadTP}
	table := tables[name]
	if table == nil {
		return fmt.Errorf("unknown part %q: parts are attn, experts, shared, embed, head", name)
	}
	var d Degrees
	if err := parseDegrees(&d, name, text, "tp", p.Devices); err != nil {
		return err
	}
	*table = d.TP
	return nil
}

func parseDegrees(d *Degrees, part, text, allowed string, devices int) error {
	*d = Degrees{}
	fields := map[string]*int{"dp": &d.DP, "ep": &d.EP, "tp": &d.TP}
	for _, term := range strings.Split(text, ",") {
		if len(term) < 3 || !slices.Contains(strings.Fields(allowed), term[:2]) {
			return fmt.Errorf("%s=%s: %q is not a degree of it: want %s and a number", part, text, term,
				strings.ReplaceAll(allowed, " ", ", "))
		}
		n, err := strconv.Atoi(term[2:])
		if err != nil || n < 1 || n > MaxDevices || strconv.Itoa(n) != term[2:] || *fields[term[:2]] != 0 {
			return fmt.Errorf("%s=%s: %q is not one degree from 1 to %d", part, text, term, MaxDevices)
		}
		*fields[term[:2]] = n
	}
	d.EP, d.TP = max(d.EP, 1), max(d.TP, 1)
	if d.DP == 0 {
		d.DP = max(1, devices/(d.EP*d.TP))
	}
	if d.Ranks() != devices {
		return fmt.Errorf("%s=%s is for %d ranks, there are %d", part, text, d.Ranks(), devices)
	}
	return nil
}
