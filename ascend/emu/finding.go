package emu

import (
	"fmt"
	"strings"
)

// Finding is one broken rule, with its place.
type Finding struct {
	Rule   string // label of the Rule
	Text   string // what happened
	Kernel string
	Block  int
	Line   int // of the kernel text; 0 when the kernel as a whole is meant
	Other  int // line of the other access of a pair, 0 when there is none
	Pipe   string
	Op     string // the call, such as "DataCopy"
}

// Source is where the rule comes from.
func (f Finding) Source() string { return ruleOf(f.Rule).Source }

// String is the finding on one line: place, rule, what happened, source.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: block %d", f.Kernel, f.Block)
	if f.Line > 0 {
		fmt.Fprintf(&b, ", line %d", f.Line)
	}
	if f.Other > 0 {
		fmt.Fprintf(&b, " (with line %d)", f.Other)
	}
	fmt.Fprintf(&b, ", pipe %s: %s: %s [%s]", f.Pipe, f.Rule, f.Text, f.Source())
	return b.String()
}
