package gate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Report is what the gate found, a row a kernel in the order of the kernels.
type Report struct {
	Chip   string `json:"chip"`
	Shapes string `json:"shapes"`
	Seed   uint64 `json:"seed"`
	Rows   []Row  `json:"rows"`
}

// Row is one kernel.
type Row struct {
	Kernel   string `json:"kernel"`
	Kind     string `json:"kind"`
	Passed   bool   `json:"passed"`
	Reason   string `json:"reason,omitempty"` // why not: of the first case that failed
	Cases    int    `json:"cases"`            // executed
	Launches int    `json:"launches"`
	Exact    int    `json:"exact"` // elements that had to be equal
	Near     int    `json:"near"`  // elements that had a bound
	// Error is the largest error in parts of its bound, Bound this bound, and Of the tensor of it:
	// zeros where every element had to be equal.
	Error float64 `json:"error"`
	Bound float64 `json:"bound"`
	Of    string  `json:"of,omitempty"`
	Why   string  `json:"why,omitempty"` // what the bound is derived from
	// The prediction is for the last case, at the rates of one core's memory access.
	Case    string  `json:"case,omitempty"`
	Cycles  float64 `json:"cycles"`
	Micros  float64 `json:"micros"`
	BoundBy string  `json:"bound_by,omitempty"` // the pipe that works longest
}

// add takes in a case.
func (r *Row) add(c *Case, res *Result) {
	r.Cases++
	r.Launches += 2
	for _, o := range res.Outputs {
		r.Exact += o.Exact
		r.Near += o.Near
		largest := Comparison{Error: r.Error, Bound: r.Bound}
		if o.share() > largest.share() || r.Bound == 0 && o.Bound > 0 {
			r.Error, r.Bound, r.Of, r.Why = o.Error, o.Bound, o.Tensor, o.Why
		}
	}
	if t := res.Timeline; t != nil {
		s := t.Scenarios[0]
		r.Case, r.Cycles, r.BoundBy = c.Name, s.Cycles, s.Bound()
		r.Micros = s.Cycles / t.ClockHz * 1e6
	}
	if why := res.Failure(); why != "" {
		r.fail(why)
	}
}

func (r *Row) fail(why string) {
	if r.Reason == "" {
		r.Reason = why
	}
}

// Passed reports whether every kernel gave what it must.
func (r *Report) Passed() bool {
	for _, row := range r.Rows {
		if !row.Passed {
			return false
		}
	}
	return true
}

// WriteText writes the rows as a table, and below it why kernels failed.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KERNEL\tCASES\tEXACT\tNEAR\tERROR\tBOUND\tPREDICTED\tBOUND BY\tRESULT")
	for _, row := range r.Rows {
		fmt.Fprintln(t, row.text())
	}
	t.Flush()
	passed := 0
	for _, row := range r.Rows {
		if row.Passed {
			passed++
			continue
		}
		fmt.Fprintf(&b, "\n%s: %s\n", row.Kernel, row.Reason)
	}
	fmt.Fprintf(&b, "\n%d of %d kernels passed, executed for %s with the %s shapes, seed %d\n",
		passed, len(r.Rows), r.Chip, r.Shapes, r.Seed)
	_, err := io.WriteString(w, b.String())
	return err
}

// text is the cells of a row; what there is nothing of is a dash.
func (r Row) text() string {
	or := func(there bool, format string, v any) string {
		if !there {
			return "-"
		}
		return fmt.Sprintf(format, v)
	}
	result := "passed"
	if !r.Passed {
		result = "FAILED"
	}
	return strings.Join([]string{r.Kernel, fmt.Sprint(r.Cases), or(r.Exact > 0, "%d", r.Exact),
		or(r.Near > 0, "%d", r.Near), or(r.Bound > 0, "%.2g", r.Error),
		or(r.Bound > 0, "%.2g", r.Bound), or(r.Cycles > 0, "%.1f us", r.Micros),
		or(r.BoundBy != "", "%s", r.BoundBy), result}, "\t")
}
