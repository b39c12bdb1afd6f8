package quant

import "fmt"

// Observer measures the activation rows that pass one site. It is not safe for concurrent
// use: give each worker its own and add their sites up with Stats.Merge.
type Observer struct{ site Site }

// NewObserver watches a site; experts is 0 where it has none.
func NewObserver(site string, experts int) *Observer {
	o := &Observer{Site{Name: site}}
	if experts > 0 {
		o.site.Experts = make([]Range, experts)
	}
	return o
}

// Observe measures rows [n, width] that entered the given expert, or -1 where the site has
// none. An infinity or NaN is an error that names the site and the place in rows; the rows
// then count for nothing.
func (o *Observer) Observe(expert int, rows []float32, width int) error {
	if width <= 0 || len(rows)%width != 0 {
		panic(fmt.Sprintf("BUG: %d activations in rows of %d", len(rows), width))
	}
	if (expert < 0) != (len(o.site.Experts) == 0) {
		panic(fmt.Sprintf("BUG: expert %d observed at site %s with %d experts",
			expert, o.site.Name, len(o.site.Experts)))
	}
	seen := Range{AMax: maxAbs(rows), Tokens: int64(len(rows) / width)}
	if !finite(seen.AMax) {
		return o.nonFinite(expert, rows, width)
	}
	if expert >= 0 {
		if err := o.site.Experts[expert].add(seen); err != nil {
			return fmt.Errorf("site %s: %w", o.site.Name, err)
		}
	}
	return o.site.add(seen)
}

func (o *Observer) nonFinite(expert int, rows []float32, width int) error {
	name := o.site.Name
	if expert >= 0 {
		name = expertName(name, expert)
	}
	for i, v := range rows {
		if !finite(v) {
			return fmt.Errorf("site %s: activation %v at row %d, column %d; "+
				"the model overflows on the calibration text", name, v, i/width, i%width)
		}
	}
	panic("BUG: no non-finite activation found")
}

// Site is what was measured so far.
func (o *Observer) Site() Site {
	site := o.site
	site.Experts = append([]Range(nil), o.site.Experts...)
	return site
}
