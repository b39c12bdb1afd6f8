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
)

// diagnostics turns what the compiler said into problems. An error inside the interface belongs to
// the line of the kernel that instantiated it, which the compiler names just before.
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
	for text := range strings.Lines(said) {
		text = strings.TrimSpace(text)
		if m := atLine.FindStringSubmatch(text); m != nil && known(m[1]) {
			n, _ := strconv.Atoi(m[2])
			out = append(out, Problem{m[1], n, m[3]})
			continue
		}
		if m := elses.FindStringSubmatch(text); m != nil {
			out = append(out, Problem{kernel, line, strings.TrimPrefix(m[1],
				"static assertion failed: ")})
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
