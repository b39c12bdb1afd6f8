package emu

import (
	"fmt"
	"slices"
	"strings"
)

// headers are the public header names that forward to the one interface.
var headers = []string{
	"kernel_operator.h", "kernel_operator_intf.h", "kernel_basic_intf.h", "kernel_tensor.h",
	"kernel_type.h", "kernel_tpipe.h", "kernel_common.h",
}

// forbidden words and why the device compiler has no use for them.
var forbidden = map[string]string{
	"virtual":      "virtual functions do not exist on the device",
	"try":          "exceptions do not exist on the device",
	"catch":        "exceptions do not exist on the device",
	"throw":        "exceptions do not exist on the device",
	"new":          "there is no allocation on the device",
	"delete":       "there is no allocation on the device",
	"malloc":       "there is no allocation on the device",
	"free":         "there is no allocation on the device",
	"double":       "the device has no double",
	"static":       "static data is not allowed in a kernel",
	"thread_local": "static data is not allowed in a kernel",
	"extern":       "only the kernel itself is extern",
	"std":          "the standard library does not exist on the device",
	"dynamic_cast": "run-time types do not exist on the device",
	"typeid":       "run-time types do not exist on the device",
	"asm":          "assembly is not portable between chips",
	"goto":         "jumps into and out of scopes are not allowed",
	"emu":          "names of the emulation do not exist on the device",
}

// lint applies the rules for kernel text that no host compiler applies.
func lint(s Source, split bool) []Problem {
	l := &linter{source: s, split: split, tokens: tokenize(s.Text)}
	if s.Name == "" || !isWord(s.Name[0]) {
		l.add(0, "a kernel needs a name")
	}
	l.directives()
	l.words()
	l.kernels()
	l.declarations()
	l.recursion()
	l.pointers()
	if _, err := taskOf(l.tokens, split); err != nil {
		l.add(0, "%v", err)
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int { return a.Line - b.Line })
	return l.problems
}

type linter struct {
	source   Source
	split    bool
	tokens   []token
	problems []Problem
}

func (l *linter) add(line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{l.source.Name, line, fmt.Sprintf(format, args...)})
}

func (l *linter) at(i int) string {
	if i < 0 || i >= len(l.tokens) {
		return ""
	}
	return l.tokens[i].text
}

func (l *linter) directives() {
	for _, t := range l.tokens {
		if !strings.HasPrefix(t.text, "#") {
			continue
		}
		body := strings.Fields(strings.TrimPrefix(t.text, "#"))
		if len(body) == 0 || body[0] != "include" {
			continue
		}
		name := strings.Trim(strings.Join(body[1:], " "), `"<>`)
		if !slices.Contains(headers, name) {
			l.add(t.line, "%s is not a header of the device", name)
		}
	}
}

func (l *linter) words() {
	for i, t := range l.tokens {
		why, bad := forbidden[t.text]
		external := t.text == "extern" && l.at(i+1) == `"C"`
		staticMember := t.text == "static" && l.at(i+1) == "constexpr"
		if bad && !external && !staticMember {
			l.add(t.line, "%s: %s", t.text, why)
		}
	}
}

// kernels checks that the file holds one extern "C" function of the source's name.
func (l *linter) kernels() {
	found := 0
	for i, t := range l.tokens {
		if t.text != "extern" || l.at(i+1) != `"C"` {
			continue
		}
		found++
		paren := i
		for paren < len(l.tokens) && l.at(paren) != "(" {
			paren++
		}
		if name := l.at(paren - 1); name != l.source.Name {
			l.add(t.line, "the kernel is called %s, not %s", name, l.source.Name)
		}
		if !slices.ContainsFunc(l.tokens[i:paren],
			func(t token) bool { return t.text == "__global__" }) {
			l.add(t.line, "a kernel is declared __global__ __aicore__")
		}
	}
	if found != 1 {
		l.add(0, `a file holds one extern "C" kernel, this one %d`, found)
	}
}

// declarations looks at statements outside functions: only types, functions and constexpr scalars.
func (l *linter) declarations() {
	depth, start := 0, 0
	scopes := []bool{} // whether each open brace is a namespace
	for i, t := range l.tokens {
		switch t.text {
		case "{":
			scope := slices.ContainsFunc(l.tokens[start:i],
				func(t token) bool { return t.text == "namespace" })
			scopes = append(scopes, scope)
			if scope && depth == 0 {
				start = i + 1
				continue
			}
			depth++
		case "}":
			if len(scopes) == 0 {
				continue
			}
			scope := scopes[len(scopes)-1]
			scopes = scopes[:len(scopes)-1]
			if !scope || depth > 0 {
				depth--
			}
			if depth == 0 && l.at(i+1) != ";" {
				start = i + 1
			}
		case ";":
			if depth == 0 {
				l.statement(l.tokens[start:i])
				start = i + 1
			}
		default:
			if strings.HasPrefix(t.text, "#") && depth == 0 {
				start = i + 1
			}
		}
	}
	l.arrays()
}

func (l *linter) statement(s []token) {
	if len(s) == 0 {
		return
	}
	has := func(w string) bool {
		return slices.ContainsFunc(s,
			func(t token) bool { return t.text == w })
	}
	for _, w := range []string{"using", "struct", "class", "enum", "template", "typedef",
		"static_assert", "("} {
		if has(w) && !(w == "(" && has("=")) {
			return
		}
	}
	if !has("constexpr") {
		l.add(s[0].line, "global data is not allowed: only constexpr scalars")
	}
}

// arrays refuses constant arrays, which the device keeps in memory it cannot address.
func (l *linter) arrays() {
	for i, t := range l.tokens {
		if t.text != "constexpr" && t.text != "const" {
			continue
		}
		for j := i + 1; j < len(l.tokens) && !strings.ContainsAny(l.at(j), ";(){=,>"); j++ {
			if l.at(j) == "[" {
				l.add(t.line, "constant arrays are not allowed: use immediates or global memory")
				break
			}
		}
	}
}
