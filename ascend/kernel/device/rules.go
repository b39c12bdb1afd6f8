package device

import (
	"fmt"
	"strings"

	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// Rule is one rule of the verifier.
type Rule struct {
	Label  string
	What   string
	Source soc.Source
	check  func(*verifier)
}

// Rules lists the rules in the order in which they are checked.
func Rules() []Rule { return append([]Rule(nil), rules...) }

var rules = []Rule{
	{"api", "the chip has the call, for this type", soc.Docs, eachCall(checkAPI)},
	{"cast", "the chip casts between these types in this mode", soc.Docs, eachCall(checkCast)},
	{"types", "operands of a call have types that go together", soc.Docs, eachCall(checkTypes)},
	{"capacity", "buffers fit their memory and do not overlap", soc.INI, checkCapacity},
	{"alignment", "addresses are multiples of what their memory asks", soc.Docs,
		eachCall(checkAlignment)},
	{"limit", "parameters fit their fields", soc.Docs, eachCall(checkLimits)},
	{"zero count", "no count is zero", soc.Docs, eachCall(checkCounts)},
	{"bounds", "accesses stay inside their tile or tensor for all run-time values", soc.Docs,
		eachCall(checkBounds)},
	{"int32", "integer expressions fit 32 bits", soc.Impl, checkWidths},
	{"overlap", "sources and results are the same bytes or apart", soc.Docs, eachCall(checkOverlap)},
	{"pairs", "flags and barriers exist for these pipes", soc.EventSource, checkPairs},
	{"flag ids", "flag ids are free for kernels and not shared", soc.Docs, checkEventIDs},
	{"balance", "every block sets as many flags as it waits for", soc.Docs, checkBalance},
	{"protocol", "no flag is set twice, waited for in vain, or left over", soc.Docs, checkProtocol},
	{"order", "conflicting accesses are ordered", soc.Docs, checkOrder},
	{"halves", "what one half of a core signals the other waits for, on every path", soc.Docs,
		checkHalves},
}

// RuleError is a breach of a rule.
type RuleError struct {
	Rule   Rule
	Kernel string
	Where  string // the node, as in the text form
	Why    string
}

// Error names rule, kernel, node, reason and source on one line.
func (e *RuleError) Error() string {
	return fmt.Sprintf("rule %s: %s: %s: %s (%s)", e.Rule.Label, e.Kernel, e.Where, e.Why,
		e.Rule.Source)
}

// RuleErrors are the breaches of one program.
type RuleErrors []*RuleError

// Error is one line a breach.
func (es RuleErrors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}

// maxBreaches bounds how many breaches are reported.
const maxBreaches = 20

type verifier struct {
	prog  *Program
	rule  Rule
	out   RuleErrors
	first bool         // the first breach is enough
	facts scalar.Facts // what holds at the node being checked
	runs  []Findings
	// running is the loops around the block whose balance is taken.
	running []*scalar.Var
}

// Verify checks every rule and returns RuleErrors, or nil.
func Verify(p *Program) error {
	v := &verifier{prog: p}
	for _, r := range rules {
		v.rule = r
		r.check(v)
	}
	if p.Peer != nil {
		if err, ok := Verify(p.Peer).(RuleErrors); ok {
			v.out = append(v.out, err...)
		}
	}
	if len(v.out) == 0 {
		return nil
	}
	return v.out
}

// FirstBreach is a breach that Verify reports too, or nil: the first one found, it looks no further.
func FirstBreach(p *Program) *RuleError {
	for ; p != nil; p = p.Peer {
		v := &verifier{prog: p, first: true}
		for _, r := range rules {
			if v.rule = r; len(v.out) == 0 {
				r.check(v)
			}
		}
		if len(v.out) > 0 {
			return v.out[0]
		}
	}
	return nil
}

func (v *verifier) breach(where, format string, args ...any) {
	if len(v.out) < maxBreaches {
		v.out = append(v.out, &RuleError{v.rule, v.prog.Name, where, fmt.Sprintf(format, args...)})
	}
}

// eachCall makes a rule of a check of single calls, which may use what conditions around say.
func eachCall(check func(*verifier, *Call)) func(*verifier) {
	return func(v *verifier) {
		v.facts = nil
		v.walk(v.prog.Body, func(n Node) {
			if c, ok := n.(*Call); ok {
				check(v, c)
			}
		})
	}
}

// walk visits nodes with the facts that hold at them.
func (v *verifier) walk(b *Block, f func(Node)) {
	for _, n := range b.Nodes {
		f(n)
		known := v.facts
		switch n := n.(type) {
		case *Loop:
			v.assume(n.Lo.Less(n.Hi))
			v.walk(n.Body, f)
		case *If:
			v.assume(n.Cond)
			if n.Of != nil { // an iteration of the loop, so at most its last
				v.assume(n.Cond.A.AtMost(n.Of.Max))
			}
			v.walk(n.Then, f)
			v.facts = known
			if n.Else != nil {
				v.assume(n.Cond.Not())
				v.walk(n.Else, f)
			}
		case *Phase:
			v.walk(n.Body, f)
		}
		v.facts = known
	}
}

func (v *verifier) assume(c Cond) { v.facts = append(v.facts[:len(v.facts):len(v.facts)], c) }

// findings runs the abstract machine once for all rules that ask: on every path, or up to the first
// that has a finding.
func (v *verifier) findings() []Findings {
	if v.runs != nil {
		return v.runs
	}
	for _, path := range Paths(v.prog) {
		path.First = v.first
		found := Run(v.prog, path)
		v.runs = append(v.runs, found)
		if v.first && found.Any() {
			break
		}
	}
	return v.runs
}
