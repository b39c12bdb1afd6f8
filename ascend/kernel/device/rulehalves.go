package device

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// The halves of a split core run the same loops under the same conditions, so that what one half
// signals and what the other waits for can be counted block by block: no path is left on which a
// counter is not back at zero at the end, whatever the shapes that are executed.

// signals is how often a block, not counting the blocks in it, calls something with each flag, and
// the same of the loops and conditions in it that do so at all, in order.
type signals struct {
	calls map[string]int // by number of the flag
	inner []signalling
}

// signalling is a loop or a condition with its blocks.
type signalling struct {
	text   string
	blocks []signals
}

// checkHalves compares each half's signals with the other half's waits.
func checkHalves(v *verifier) {
	if v.prog.Peer == nil {
		return
	}
	a, b := v.prog, v.prog.Peer
	v.compareHalves("the whole kernel", signalsOf(a.Body, setHalf), signalsOf(b.Body, waitHalf))
	v.compareHalves("the whole kernel", signalsOf(b.Body, setHalf), signalsOf(a.Body, waitHalf))
}

// VerifyHalves checks what Verify does about both halves of a program together, and not about each.
func VerifyHalves(p *Program) error {
	v := &verifier{prog: p}
	for _, r := range rules {
		if r.Label == "halves" {
			v.rule = r
			r.check(v)
		}
	}
	if len(v.out) == 0 {
		return nil
	}
	return v.out
}

// The calls by which halves signal each other.
const setHalf, waitHalf = "CrossCoreSetFlag", "CrossCoreWaitFlag"

// signalsOf is the signals of b by calls of one API.
func signalsOf(b *Block, api string) signals {
	s := signals{calls: map[string]int{}}
	for _, n := range b.Nodes {
		if c, ok := n.(*Call); ok && c.API == api {
			s.calls[flagOf(c)]++
			continue
		}
		in := signalling{text: controlText(n)}
		busy := false
		for _, inner := range Blocks(n) {
			of := signalsOf(inner, api)
			in.blocks = append(in.blocks, of)
			busy = busy || len(of.calls)+len(of.inner) > 0
		}
		if busy {
			s.inner = append(s.inner, in)
		}
	}
	return s
}

// flagOf is the number of a call's flag.
func flagOf(c *Call) string {
	if x, ok := c.Args[0].(Number); ok {
		return x.X.String()
	}
	panic(fmt.Sprintf("BUG: %s has a flag of type %T", c.API, c.Args[0]))
}

// controlText is a loop with its bounds, or a condition.
func controlText(n Node) string {
	l, ok := n.(*Loop)
	if !ok {
		return NodeLine(n)
	}
	return fmt.Sprintf("%s = %s..%s step %d", NodeLine(n), l.Lo, l.Hi, l.Step)
}

// compareHalves reports the first block of which sets and waits differ, if one does.
func (v *verifier) compareHalves(where string, sets, waits signals) bool {
	all := maps.Clone(sets.calls)
	for id := range waits.calls {
		all[id] = 0
	}
	for _, id := range sortedKeys(all) {
		if sets.calls[id] != waits.calls[id] {
			v.breach(where, "one half sets flag %s %d times, the other waits for it %d times", id,
				sets.calls[id], waits.calls[id])
			return false
		}
	}
	if a, b := controls(sets), controls(waits); a != b {
		v.breach(where, "one half sets flags in %s, the other waits for them in %s", a, b)
		return false
	}
	for i, in := range sets.inner {
		of := waits.inner[i]
		for j := range max(len(in.blocks), len(of.blocks)) {
			if !v.compareHalves(in.text, in.block(j), of.block(j)) {
				return false
			}
		}
	}
	return true
}

// block is one of the blocks, without a signal if there is none.
func (s signalling) block(i int) signals {
	if i < len(s.blocks) {
		return s.blocks[i]
	}
	return signals{calls: map[string]int{}}
}

// controls is the loops and conditions with signals.
func controls(s signals) string {
	texts := make([]string, len(s.inner))
	for i, in := range s.inner {
		texts[i] = strconv.Quote(in.text)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
