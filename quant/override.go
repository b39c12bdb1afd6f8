package quant

import (
	"fmt"
	"strings"
)

// Override gives the sites that a pattern matches another scheme.
type Override struct {
	Pattern string // a site name in which every * stands for any run of characters, dots too
	Scheme  Scheme
}

// ParseOverride reads "PATTERN=SCHEME", such as "layers.*.self_attn.*=w8a16".
func ParseOverride(text string) (Override, error) {
	pattern, name, found := cutLast(text, '=')
	if !found || pattern == "" {
		return Override{}, fmt.Errorf("override %q is not of the form PATTERN=SCHEME, "+
			"such as layers.*.self_attn.*=w8a16", text)
	}
	scheme, err := ParseScheme(name)
	if err != nil {
		return Override{}, fmt.Errorf("override %q: %w", text, err)
	}
	return Override{Pattern: pattern, Scheme: scheme}, nil
}

func cutLast(text string, separator byte) (before, after string, found bool) {
	i := strings.LastIndexByte(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// Match reports whether the pattern covers the whole site name.
func (o Override) Match(site string) bool {
	pieces := strings.Split(o.Pattern, "*")
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(pieces) == 1 {
		return site == first
	}
	if !strings.HasPrefix(site, first) {
		return false
	}
	site = site[len(first):]
	for _, piece := range pieces[1 : len(pieces)-1] {
		_, rest, found := strings.Cut(site, piece)
		if !found {
			return false
		}
		site = rest
	}
	return strings.HasSuffix(site, last)
}

// Resolve gives each site its scheme: base, or that of the last override that matches it.
// The result has the order of sites. A pattern that matches no site is an error that names
// it and the site nearest to it.
func Resolve(sites []string, base Scheme, overrides []Override) ([]Scheme, error) {
	schemes := make([]Scheme, len(sites))
	for i := range schemes {
		schemes[i] = base
	}
	for _, o := range overrides {
		matched := false
		for i, site := range sites {
			if o.Match(site) {
				schemes[i], matched = o.Scheme, true
			}
		}
		if !matched {
			return nil, unmatched(o, sites)
		}
	}
	return schemes, nil
}

func unmatched(o Override, sites []string) error {
	if len(sites) == 0 {
		return fmt.Errorf("override pattern %q matches nothing: the model has no sites to quantize",
			o.Pattern)
	}
	return fmt.Errorf("override pattern %q matches no site; the nearest is %s",
		o.Pattern, Nearest(o.Pattern, sites))
}
