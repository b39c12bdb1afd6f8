package quant

import (
	"fmt"
	"strings"
)

// Range is the calibrated magnitude for an expert of a site; expert is -1 for a site
// without experts. An expert that saw fewer than minTokens tokens takes the maximum over
// the experts of its site, and fallback says so in a sentence for the report; it is empty
// otherwise. It fails on a site or expert the statistics do not hold, and where no token at
// all was seen.
func (s *Stats) Range(site string, expert int, minTokens int64) (
	amax float32, fallback string, err error) {
	found, ok := s.Site(site)
	if !ok {
		return 0, "", s.unknownSite(site)
	}
	if expert < -1 || expert >= len(found.Experts) || (expert < 0) != (len(found.Experts) == 0) {
		return 0, "", fmt.Errorf("the statistics hold %d experts for site %s, not expert %d",
			len(found.Experts), site, expert)
	}
	if found.Tokens == 0 {
		return 0, "", fmt.Errorf("calibration ran no token through site %s; calibrate with more text",
			site)
	}
	if expert < 0 {
		return found.AMax, "", nil
	}
	own := found.Experts[expert]
	if own.Tokens >= minTokens {
		return own.AMax, "", nil
	}
	return found.AMax, fmt.Sprintf("%s: %d tokens, below %d; takes the maximum over %d experts",
		expertName(site, expert), own.Tokens, minTokens, len(found.Experts)), nil
}

func (s *Stats) unknownSite(site string) error {
	names := make([]string, len(s.Sites))
	for i := range s.Sites {
		names[i] = s.Sites[i].Name
	}
	if len(names) == 0 {
		return fmt.Errorf("the statistics hold no site %s; they are empty", site)
	}
	return fmt.Errorf("the statistics hold no site %s; the nearest is %s; "+
		"were they measured on another model?", site, Nearest(site, names))
}

// Uncovered lists, in order of site and expert, every expert that saw fewer than minTokens
// tokens, such as "layers.3.mlp.experts.17 (gate_up): 0 tokens".
func (s *Stats) Uncovered(minTokens int64) []string {
	var names []string
	for _, site := range s.Sites {
		for e, r := range site.Experts {
			if r.Tokens < minTokens {
				names = append(names, fmt.Sprintf("%s: %d tokens", expertName(site.Name, e), r.Tokens))
			}
		}
	}
	return names
}

// expertName puts an expert's number into its site: a.experts.down -> a.experts.17 (down).
func expertName(site string, expert int) string {
	dot := strings.LastIndexByte(site, '.')
	if dot < 0 {
		return fmt.Sprintf("%s.%d", site, expert)
	}
	return fmt.Sprintf("%s.%d (%s)", site[:dot], expert, site[dot+1:])
}
