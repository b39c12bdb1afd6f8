package quant

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// GateWeight says where a routed expert's output meets its gate weight, which decides what
// the input of its down projection looked like when it was measured.
type GateWeight string

// The places of the gate weight.
const (
	GateAfterDown  GateWeight = "after_down"  // on the output of the down projection
	GateBeforeDown GateWeight = "before_down" // on the input of the down projection
)

// Range is what was measured of one stream of activation rows.
type Range struct {
	AMax   float32 // largest magnitude; finite, not negative
	Tokens int64   // rows seen
}

// add widens r by what another observer saw.
func (r *Range) add(other Range) error {
	if other.Tokens > math.MaxInt64-r.Tokens {
		return fmt.Errorf("token counts %d and %d exceed 64 bits", r.Tokens, other.Tokens)
	}
	r.AMax = max(r.AMax, other.AMax)
	r.Tokens += other.Tokens
	return nil
}

// Site is the measured input of one linear op, or of one projection of all experts of a
// layer. With experts, the site's own range is the maximum and the sum over them.
type Site struct {
	Name string // such as layers.3.mlp.experts.down
	Range
	Experts []Range // by expert; empty for a site without experts
}

// Stats is what one calibration measured.
type Stats struct {
	Source      string     // digest of the checkpoint, such as sha256:...
	Calibration string     // digest of the calibration text
	Tokens      int64      // tokens of the calibration text that were run
	GateWeight  GateWeight // convention under which the inputs of down projections were seen
	Sites       []Site     // ascending by name
}

// Add inserts a site in its place. It fails on a malformed or repeated site.
func (s *Stats) Add(site Site) error {
	if err := site.validate(); err != nil {
		return err
	}
	i, found := s.find(site.Name)
	if found {
		return fmt.Errorf("site %s occurs twice", site.Name)
	}
	s.Sites = slices.Insert(s.Sites, i, site)
	return nil
}

// Site returns the site of that name.
func (s *Stats) Site(name string) (Site, bool) {
	i, found := s.find(name)
	if !found {
		return Site{}, false
	}
	return s.Sites[i], true
}

func (s *Stats) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.Sites, name, func(site Site, name string) int {
		return strings.Compare(site.Name, name)
	})
}

// Merge adds what another pass over the same model measured on a disjoint part of the same
// calibration text: ranges take the larger, tokens add up. The order of merges does not
// matter. On an error s is unchanged.
func (s *Stats) Merge(other *Stats) error {
	if err := s.sameRun(other); err != nil {
		return fmt.Errorf("cannot merge statistics: %w", err)
	}
	merged := Stats{s.Source, s.Calibration, s.Tokens, s.GateWeight, nil}
	if other.Tokens > math.MaxInt64-s.Tokens {
		return fmt.Errorf("cannot merge statistics: token counts exceed 64 bits")
	}
	merged.Tokens += other.Tokens
	for _, site := range s.Sites {
		site.Experts = slices.Clone(site.Experts)
		if theirs, ok := other.Site(site.Name); ok {
			if err := site.merge(theirs); err != nil {
				return fmt.Errorf("cannot merge statistics: %w", err)
			}
		}
		merged.Sites = append(merged.Sites, site)
	}
	for _, site := range other.Sites {
		if _, ok := s.find(site.Name); !ok {
			site.Experts = slices.Clone(site.Experts)
			merged.Sites = append(merged.Sites, site)
		}
	}
	slices.SortFunc(merged.Sites, func(a, b Site) int { return strings.Compare(a.Name, b.Name) })
	*s = merged
	return nil
}

func (s *Stats) sameRun(other *Stats) error {
	for _, header := range [...]struct{ what, ours, theirs string }{
		{"checkpoints", s.Source, other.Source},
		{"calibration texts", s.Calibration, other.Calibration},
		{"gate weight places", string(s.GateWeight), string(other.GateWeight)},
	} {
		if header.ours != header.theirs {
			return fmt.Errorf("the %s differ: %s and %s", header.what, header.ours, header.theirs)
		}
	}
	return nil
}

func (site *Site) merge(other Site) error {
	if len(site.Experts) != len(other.Experts) {
		return fmt.Errorf("site %s has %d experts in one and %d in the other",
			site.Name, len(site.Experts), len(other.Experts))
	}
	for e := range site.Experts {
		if err := site.Experts[e].add(other.Experts[e]); err != nil {
			return fmt.Errorf("site %s, expert %d: %w", site.Name, e, err)
		}
	}
	if err := site.add(other.Range); err != nil {
		return fmt.Errorf("site %s: %w", site.Name, err)
	}
	return nil
}

// Validate checks every invariant that ParseStats guarantees.
func (s *Stats) Validate() error {
	for _, header := range [...]struct{ what, value string }{
		{"source", s.Source}, {"calibration", s.Calibration},
	} {
		if !isWord(header.value) {
			return fmt.Errorf("%s digest %q is not a word of printable ASCII",
				header.what, header.value)
		}
	}
	if s.Tokens < 0 {
		return fmt.Errorf("tokens %d is negative", s.Tokens)
	}
	if s.GateWeight != GateAfterDown && s.GateWeight != GateBeforeDown {
		return fmt.Errorf("gate_weight %q is neither %s nor %s",
			string(s.GateWeight), GateAfterDown, GateBeforeDown)
	}
	for i := range s.Sites {
		if err := s.Sites[i].validate(); err != nil {
			return err
		}
		if i > 0 && s.Sites[i-1].Name >= s.Sites[i].Name {
			return fmt.Errorf("site %s must not follow site %s: sites ascend by name",
				s.Sites[i].Name, s.Sites[i-1].Name)
		}
	}
	return nil
}

func (site *Site) validate() error {
	if !isWord(site.Name) {
		return fmt.Errorf("site name %q is not a word of printable ASCII", site.Name)
	}
	if err := site.Range.validate(); err != nil {
		return fmt.Errorf("site %s: %w", site.Name, err)
	}
	var all Range
	for e, r := range site.Experts {
		if err := r.validate(); err != nil {
			return fmt.Errorf("site %s, expert %d: %w", site.Name, e, err)
		}
		if err := all.add(r); err != nil {
			return fmt.Errorf("site %s: %w", site.Name, err)
		}
	}
	if len(site.Experts) > 0 && all != site.Range {
		return fmt.Errorf("site %s has range %v over %d tokens, but its experts %v over %d",
			site.Name, site.AMax, site.Tokens, all.AMax, all.Tokens)
	}
	return nil
}

func (r Range) validate() error {
	switch {
	case !finite(r.AMax) || math.Signbit(float64(r.AMax)):
		return fmt.Errorf("range %v is not a finite magnitude", r.AMax)
	case r.Tokens < 0:
		return fmt.Errorf("token count %d is negative", r.Tokens)
	case r.Tokens == 0 && r.AMax != 0:
		return fmt.Errorf("range %v was measured on no token", r.AMax)
	}
	return nil
}

// isWord reports whether text is one field of the statistics file.
func isWord(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return text != ""
}
