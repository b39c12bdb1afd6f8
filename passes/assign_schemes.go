package passes

import (
	"fmt"
	"strings"

	"moge/ir"
	"moge/quant"
)

// assignSchemes writes the scheme of every linear and grouped linear into its attributes:
// the base scheme or that of the last override that matches its site. The router decides
// which experts run, so it never loses precision; lm_head has an option of its own. Norms
// and the embedding are no linears and stay as they are.
func assignSchemes(g *ir.Graph, c *compilation) (*ir.Graph, error) {
	var sites, fixed []string
	for _, n := range g.Nodes {
		switch {
		case !isLinear(n):
		case isRouter(n.Site) || isHead(n.Site):
			fixed = append(fixed, n.Site)
		default:
			sites = append(sites, n.Site)
		}
	}
	if err := checkFixed(sites, fixed, c.opt.Overrides); err != nil {
		return nil, err
	}
	schemes, err := quant.Resolve(sites, c.opt.Scheme, c.opt.Overrides)
	if err != nil {
		return nil, err
	}
	return rewrite(g, func(r *ir.Rewriter, n *ir.Node) []*ir.Value {
		if !isLinear(n) {
			return nil
		}
		chosen := noScheme
		switch {
		case isRouter(n.Site):
		case isHead(n.Site):
			chosen = schemeName(c.opt.Head)
		default:
			chosen, schemes = schemeName(schemes[0]), schemes[1:]
		}
		c.report.Sites = append(c.report.Sites, SiteScheme{n.Site, chosen})
		r.Copy(n).SetAttr(ir.Str(schemeAttr, chosen))
		return r.Values(n.Results)
	}), nil
}

// checkFixed refuses a pattern whose only matches are sites that no pattern governs.
func checkFixed(sites, fixed []string, overrides []quant.Override) error {
	for _, o := range overrides {
		if matchesAny(o, sites) {
			continue
		}
		for _, site := range fixed {
			if o.Match(site) && isHead(site) {
				return fmt.Errorf("override pattern %q matches only %s, "+
					"whose scheme is an option of its own", o.Pattern, site)
			}
			if o.Match(site) {
				return fmt.Errorf("override pattern %q matches only %s, "+
					"and routers are never quantized", o.Pattern, site)
			}
		}
	}
	return nil
}

func matchesAny(o quant.Override, sites []string) bool {
	for _, site := range sites {
		if o.Match(site) {
			return true
		}
	}
	return false
}

func isRouter(site string) bool { return strings.HasSuffix(site, ".router") }

func isHead(site string) bool { return site == "lm_head" }

// schemeName is the name of s, of which the zero value is none.
func schemeName(s quant.Scheme) string {
	if s.Name == "" {
		return noScheme
	}
	return s.Name
}
