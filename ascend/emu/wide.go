package emu

import (
	"regexp"
	"strconv"
	"strings"
)

// The 310P scalar unit cannot multiply 64-bit numbers in every lowering. Types are known to the
// compiler only, so its GIMPLE dump is read: one assignment a line, each with its place in the
// text.

var (
	dumpFunction = regexp.MustCompile(`^\S.*\((.*)\)$`)
	dumpDeclare  = regexp.MustCompile(`^\s+(?:const )?([A-Za-z_][\w ]*?) \*?([\w.]+);$`)
	dumpCast     = regexp.MustCompile(`\] ([\w.]+) = \((?:long (?:unsigned )?int|u?int64_t)\) `)
	dumpProduct  = regexp.MustCompile(
		`^\s*\[(\w+)\.cpp:(\d+):\d+\] ([\w.]+) = ([-\w.]+) \* ([-\w.]+);$`)
	dumpOther = regexp.MustCompile(`\] ([\w.]+) = ([-\w.]+) [-+/%&|^] ([-\w.]+);$`)
	dumpCall  = regexp.MustCompile(`\] ([\w.]+) = AscendC::(?:GetBlockIdx|GetBlockNum) \(`)
)

var wideTypes = map[string]bool{
	"long int": true, "long unsigned int": true, "int64_t": true, "uint64_t": true, "size_t": true,
	"long long int": true, "long long unsigned int": true,
}

// wideProducts finds multiplications of 64-bit numbers by anything but a power of two.
func wideProducts(dump string) []Problem {
	var out []Problem
	wide := map[string]bool{}
	for line := range strings.Lines(dump) {
		line = strings.TrimRight(line, "\n")
		if m := dumpFunction.FindStringSubmatch(line); m != nil {
			wide = parameters(m[1])
			continue
		}
		if m := dumpDeclare.FindStringSubmatch(line); m != nil {
			wide[m[2]] = wideTypes[m[1]]
			continue
		}
		if m := dumpProduct.FindStringSubmatch(line); m != nil {
			if wide[m[4]] || wide[m[5]] {
				wide[m[3]] = true
				if !powerOfTwo(m[4]) && !powerOfTwo(m[5]) {
					n, _ := strconv.Atoi(m[2])
					out = append(out, Problem{m[1], n,
						"64-bit product: compute in uint32_t and widen once"})
				}
			}
			continue
		}
		spread(line, wide)
	}
	return out
}

// spread marks what a line that is no product makes 64 bits wide.
func spread(line string, wide map[string]bool) {
	if m := dumpCast.FindStringSubmatch(line); m != nil {
		wide[m[1]] = true
	} else if m := dumpCall.FindStringSubmatch(line); m != nil {
		wide[m[1]] = true
	} else if m := dumpOther.FindStringSubmatch(line); m != nil && (wide[m[2]] || wide[m[3]]) {
		wide[m[1]] = true
	}
}

func parameters(list string) map[string]bool {
	wide := map[string]bool{}
	for p := range strings.SplitSeq(list, ",") {
		p = strings.TrimSpace(p)
		if i := strings.LastIndexByte(p, ' '); i > 0 {
			wide[p[i+1:]] = wideTypes[strings.TrimPrefix(strings.TrimSpace(p[:i]), "const ")]
		}
	}
	return wide
}

func powerOfTwo(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n != 0 && n&(n-1) == 0
}
