package policy

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// A file name that ends in the name of a system or an architecture is a build constraint:
// attention_windows.go is not compiled on Linux, without a word. These names mean it.
var constrainedNames = []string{
	"runtime/cpu/*_amd64.go", "runtime/cpu/*_arm64.go",
	"runtime/kernels/*_amd64.go", "runtime/kernels/*_amd64.s",
	"runtime/kernels/*_arm64.go", "runtime/kernels/*_arm64.s",
}

// The words the go command knows, of go/build.
var (
	systems = strings.Fields("aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd " +
		"openbsd plan9 solaris wasip1 windows zos")
	architectures = strings.Fields("386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 " +
		"mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm")
)

// constraint is the word by which the name of a file restricts where it is compiled.
func constraint(name string) string {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(name), path.Ext(name)), "_test")
	words := strings.Split(base, "_")
	if len(words) < 2 {
		return ""
	}
	if last := words[len(words)-1]; slices.Contains(systems, last) || slices.Contains(architectures, last) {
		return last
	}
	return ""
}

func TestFileNamesConstrainOnPurpose(t *testing.T) {
	for _, f := range loadTree(t).texts {
		if ext := path.Ext(f.path); ext != ".go" && ext != ".s" {
			continue
		}
		if word := constraint(f.path); word != "" && matchAny(constrainedNames, f.path) < 0 {
			t.Errorf("%s is compiled for %s only: rename it, or list it if that is meant", f.path, word)
		}
	}
}

func TestConstraint(t *testing.T) {
	for name, want := range map[string]string{
		"a/attention_windows.go": "windows", "dot_amd64.s": "amd64", "x_linux_test.go": "linux",
		"windows.go": "", "a/fault_unix_test.go": "", "level_noasm.go": "", "windows_scan.go": "",
	} {
		if got := constraint(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
