package emu

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	atLine = regexp.MustCompile(`^([A-Za-z0-9_]+)\.cpp:(\d+):\d+: (?:fatal )?error: (.*)$`)
	within = regexp.MustCompile(`([A-Za-z0-9_]+)\.cpp:(\d+):\d+:`)
	elses  = regexp.MustCompile(`^\S+:\d+:\d+: (?:fatal )?error: (.*)$`)
	asked  = regexp.MustCompile(`^([A-Za-z0-9_]+)\.cpp:(\d+):\d+: note: in instantiation`)
	failed = regexp.MustCompile(`^stati\S+ (?:assertion )?failed(?: due to requirement '.*?')?:? "?(.*?)"?$`)
)

// diagnostics turns what the compiler said into problems. An error inside the interface belongs to
// the line of the kernel that instantiated it, which g++ names just before and clang just behind it.
func diagnostics(said string, u unit) []Problem {
	var out []Problem
	kernel, line := u.kernels[0].Name, 0
	known := func(name string) bool {
		for _, k := range u.kernels {
			if k.Name == name {
				return true
			}
		}
		return false
	}
	pending := -1 // problem whose place clang has yet to tell
	for text := range strings.Lines(said) {
		text = strings.TrimSpace(text)
		if m := asked.FindStringSubmatch(text); m != nil && pending >= 0 && known(m[1]) {
			out[pending].Kernel = m[1]
			out[pending].Line, _ = strconv.Atoi(m[2])
			pending = -1
			continue
		}
		if m := atLine.FindStringSubmatch(text); m != nil && known(m[1]) {
			n, _ := strconv.Atoi(m[2])
			out = append(out, Problem{m[1], n, m[3]})
			continue
		}
		if m := elses.FindStringSubmatch(text); m != nil {
			pending = len(out)
			out = append(out, Problem{kernel, line, failed.ReplaceAllString(m[1], "$1")})
			continue
		}
		if m := within.FindStringSubmatch(text); m != nil && known(m[1]) {
			kernel = m[1]
			line, _ = strconv.Atoi(m[2])
		}
	}
	if len(out) == 0 {
		out = []Problem{{kernel, 0, strings.TrimSpace(said)}}
	}
	return out
}
