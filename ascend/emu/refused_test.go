package emu

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var errorMark = regexp.MustCompile(`// error (.+)`)

// problemsOf compiles kernels together; when some messages come only after others are gone (lint,
// then the front end, then the back end), those with problems are taken out and the rest compiled
// again.
func problemsOf(t *testing.T, chip string, kernels []Source) []Problem {
	t.Helper()
	var all []Problem
	for len(kernels) > 0 {
		lib, err := Compile(context.Background(), chipNamed(t, chipNames[chip]), kernels)
		if err == nil {
			lib.Close()
			break
		}
		var c *CompileError
		if !errors.As(err, &c) {
			t.Fatal(err)
		}
		all = append(all, c.Problems...)
		n := len(kernels)
		kernels = slices.DeleteFunc(kernels, func(s Source) bool {
			return slices.ContainsFunc(c.Problems, func(p Problem) bool { return p.Kernel == s.Name })
		})
		if len(kernels) == n {
			t.Fatal(err)
		}
	}
	return all
}

// What the device compiler refuses does not compile here either, with the place in the kernel text.
func TestRefused(t *testing.T) {
	needCompiler(t)
	for chip, file := range map[string]string{"310p": "refused.txtar", "910b": "910b/refused.txtar"} {
		kernels := archive{file, head, "}\n"}.sources(t, chip)
		problems := problemsOf(t, chip, slices.Clone(kernels))
		for _, k := range kernels {
			t.Run(chip+"/"+k.Name, func(t *testing.T) { checkRefused(t, k, problems) })
		}
	}
}

// clangSays has the words of clang for those of g++, empty for what g++ alone notices: products that its
// dump shows, and frames that clang's optimizer makes smaller.
var clangSays = map[string]string{
	"no match for": "invalid operands", "invalid conversion": "cannot initialize",
	"64-bit product": "", "frame size": "",
}

func checkRefused(t *testing.T, k Source, problems []Problem) {
	tools, err := findToolchain()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(k.Text, "\n") {
		m := errorMark.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if words, ok := clangSays[m[1]]; ok && tools.clang {
			if m[1] = words; words == "" {
				continue
			}
		}
		if !slices.ContainsFunc(problems, func(p Problem) bool {
			inFrame := strings.Contains(m[1], "frame size") // belongs to the whole function
			return p.Kernel == k.Name && (p.Line == i+1 || inFrame) && strings.Contains(p.Message, m[1])
		}) {
			t.Errorf("no problem %q at line %d", m[1], i+1)
		}
	}
	for _, p := range problems {
		if p.Kernel == k.Name {
			t.Log(p)
		}
	}
}
