package emu

import (
	"slices"
	"strings"
)

// definition is a function body found in the text.
type definition struct {
	name       string
	line       int
	start, end int // tokens of the body
}

// definitions finds every `name(...) ... {` that is no control statement.
func (l *linter) definitions() []definition {
	var out []definition
	for i := range l.tokens {
		if l.at(i) != "(" || i == 0 || !isName(l.at(i-1)) {
			continue
		}
		end := l.matching(i, "(", ")")
		body := end + 1
		for slices.Contains([]string{"const", "noexcept", "override"}, l.at(body)) {
			body++
		}
		if l.at(body) != "{" {
			continue
		}
		d := definition{l.at(i - 1), l.tokens[i].line, body, l.matching(body, "{", "}")}
		out = append(out, d)
	}
	return out
}

func isName(s string) bool {
	if s == "" || !isWord(s[0]) || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return !slices.Contains([]string{"if", "for", "while", "switch", "return", "constexpr",
		"sizeof"}, s)
}

func (l *linter) matching(i int, open, shut string) int {
	depth := 0
	for ; i < len(l.tokens); i++ {
		switch l.at(i) {
		case open:
			depth++
		case shut:
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return len(l.tokens) - 1
}

// recursion refuses functions that can reach themselves; functions are told apart by name only.
func (l *linter) recursion() {
	defs := l.definitions()
	calls := make([][]int, len(defs))
	for a, d := range defs {
		for i := d.start; i < d.end; i++ {
			if l.at(i+1) != "(" {
				continue
			}
			for b, other := range defs {
				if other.name == l.at(i) {
					calls[a] = append(calls[a], b)
				}
			}
		}
	}
	for a, d := range defs {
		if reaches(calls, a, a, make([]bool, len(defs))) {
			l.add(d.line, "%s can call itself: there is no recursion on the device", d.name)
		}
	}
}

func reaches(calls [][]int, from, to int, seen []bool) bool {
	for _, next := range calls[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(calls, next, to, seen) {
				return true
			}
		}
	}
	return false
}

// pointers refuses direct access through pointers to global memory: it would pass by every check of
// the emulation, and on the device by the scalar cache rules that GlobalTensor makes visible.
func (l *linter) pointers() {
	var names []string
	for i, t := range l.tokens {
		if t.text == "GM_ADDR" && isName(l.at(i+1)) {
			names = append(names, l.at(i+1))
		}
		if t.text == "__gm__" && l.at(i+2) == "*" && isName(l.at(i+3)) {
			names = append(names, l.at(i+3))
		}
	}
	for i, t := range l.tokens {
		if !slices.Contains(names, t.text) {
			continue
		}
		before := l.at(i - 1)
		deref := before == "*" && (i < 2 || strings.ContainsAny(l.at(i-2), "=;{(,&|+-*/<>!"))
		if l.at(i+1) == "[" || deref {
			l.add(t.line, "%s points to global memory: read it through a GlobalTensor", t.text)
		}
	}
}
