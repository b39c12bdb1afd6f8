package policy

import (
	"slices"
	"strings"
	"testing"
)

// dependency is a module of others that this one imports directly.
type dependency struct {
	module string
	within []string // folders that may import it
	tests  bool     // for _test.go files only
	reason string
}

// The dependencies. A new row needs a reason here and in RATIONALE.md; do not widen a row to
// fix a build.
var dependencies = []dependency{
	{module: "google.golang.org/protobuf", within: []string{"formats", "codegen", "cmd", "tests"},
		reason: "the manifest of a bundle, and the wire format of sentencepiece models"},
	{module: "github.com/nlpodyssey/safetensors", within: []string{"formats/safetensors"},
		reason: "element types and header records of the checkpoint format"},
	{module: "github.com/spf13/cobra", within: []string{"cmd"},
		reason: "command line: subcommands, help, shell completion"},
	{module: "github.com/schollz/progressbar/v3", within: []string{"cmd"},
		reason: "progress on a terminal"},
	{module: "github.com/ebitengine/purego", within: []string{"runtime/npu"},
		reason: "AscendCL and HCCL by dlopen, without cgo"},
	{module: "github.com/klauspost/cpuid/v2", within: []string{"runtime/cpu"},
		reason: "instruction sets and cache sizes of the processor"},
	{module: "golang.org/x/sys", within: []string{"formats/mapped", "formats/durable", "runtime", "cmd"},
		reason: "memory mapping, locks and signals that package syscall lacks"},
	{module: "golang.org/x/sync", within: []string{"formats", "runtime", "codegen", "ascend", "cmd"},
		reason: "groups of goroutines that end with the first error"},
	{module: "golang.org/x/term", within: []string{"cmd"},
		reason: "whether a stream is a terminal, and how wide"},
	{module: "github.com/rogpeppe/go-internal", within: []string{"passes", "cmd", "tests"}, tests: true,
		reason: "txtar and testscript: input and expectation side by side"},
}

func TestDependencies(t *testing.T) {
	for _, f := range loadTree(t).gos {
		if f.nested {
			continue
		}
		for _, name := range f.imports() {
			if name == "C" {
				t.Errorf("%s uses cgo", f.path)
			}
			if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
				continue
			}
			if why := refuse(&f, name); why != "" {
				t.Errorf("%s imports %s: %s", f.path, name, why)
			}
		}
	}
}

// refuse says why a file may not import a package of others.
func refuse(f *goFile, name string) string {
	i := slices.IndexFunc(dependencies, func(d dependency) bool { return inside(name, d.module) })
	switch {
	case i < 0:
		return "it is not in the list of dependencies"
	case !insideAny(f.dir, dependencies[i].within) && !f.test:
		return "only " + strings.Join(dependencies[i].within, ", ") + " may"
	case dependencies[i].tests && !f.test:
		return "only tests may"
	}
	return ""
}

// TestDependenciesAreWhatGoModSays holds the list and go.mod together: whatever is imported is
// required directly there, and whatever is required directly there has its reason here.
func TestDependenciesAreWhatGoModSays(t *testing.T) {
	tree := loadTree(t)
	i := slices.IndexFunc(tree.texts, func(f textFile) bool { return f.path == "go.mod" })
	var direct []string
	for line := range strings.Lines(tree.texts[i].text) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.Contains(fields[0], "/") && !strings.Contains(line, "// indirect") {
			direct = append(direct, fields[0])
		}
	}
	for _, d := range dependencies {
		if !usedBy(tree, d.module) {
			t.Errorf("nothing imports %s: take it off the list", d.module)
		} else if !slices.Contains(direct, d.module) {
			t.Errorf("%s is imported, but go.mod does not require it directly: run go mod tidy", d.module)
		}
	}
	for _, name := range direct {
		if !slices.ContainsFunc(dependencies, func(d dependency) bool { return d.module == name }) {
			t.Errorf("go.mod requires %s, which has no reason in the list", name)
		}
	}
}

func usedBy(t *tree, name string) bool {
	return slices.ContainsFunc(t.gos, func(f goFile) bool {
		return !f.nested && slices.ContainsFunc(f.imports(), func(p string) bool { return inside(p, name) })
	})
}
