package policy

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The import policy. Do not change it to fix a build: a forbidden import says that a thing
// stands in the wrong package. Move the thing, or change ARCHITECTURE.md first and say why.

// order is the folders at the top; a package imports its own folder and those before it.
var order = []string{"ir", "quant", "formats", "runtime", "passes", "codegen", "ascend", "cmd"}

// rule narrows what the packages below some folders may import of this module. Of the
// rules that match a package, the first one holds.
type rule struct {
	of     []string // folders
	may    []string // folders, in addition to each package's own; nil allows all of the order
	except []string // folders taken from may
	reason string
}

var rules = []rule{
	{of: []string{"ir/dtype", "ir/shape"}, may: []string{},
		reason: "leaves, which the deployed program shares with the compiler"},
	{of: []string{"ir/tensor"}, may: []string{"ir/dtype", "ir/shape"},
		reason: "plain data, without graphs"},
	{of: []string{"ir/interp"}, may: []string{"ir"},
		reason: "the meaning of the ops depends on nothing that is tested against it"},
	{of: []string{"ir"}, may: []string{"ir/dtype", "ir/shape"},
		reason: "what a graph is does not depend on how one is run"},
	{of: []string{"quant"}, may: []string{"ir/dtype"},
		reason: "reference arithmetic on plain slices"},
	{of: []string{"formats/mapped", "formats/durable"}, may: []string{"formats/durable"},
		reason: "files, whatever is in them"},
	{of: []string{"formats/models"},
		may: []string{"ir", "quant", "formats"}, except: []string{"ir/interp", "ir/tensor"},
		reason: "families build graphs and do not run them"},
	{of: []string{"formats"},
		may: []string{"ir/dtype", "ir/shape", "quant", "formats"}, except: []string{"formats/models"},
		reason: "formats are data; only families know graphs"},
	{of: []string{"runtime/kernels", "runtime/cpu"}, may: []string{"ir/dtype", "runtime/cpu"},
		reason: "inner loops know slices alone"},
	{of: []string{"runtime"},
		may: []string{
			"ir/dtype",
			"ir/shape",
			"ir/exact",
			"quant",
			"formats",
			"runtime",
		}, except: []string{"formats/models"},
		reason: "the deployed program does not contain the compiler"},
	{of: []string{"passes"}, may: []string{"ir", "quant", "passes"}, except: []string{"ir/interp"},
		reason: "passes see weights as names and no machine"},
}

// deployed is what runs bundles. Nothing in its closure may be of the compiler.
var (
	deployed = []string{"runtime", "cmd/moge-run"}
	compiler = []string{"ir", "formats/models", "passes", "codegen", "ascend"}
	shared   = []string{"ir/dtype", "ir/shape", "ir/exact"}
)

func TestFolderOrder(t *testing.T) {
	eachImport(loadTree(t), func(from, to, file string) {
		if inside(from, "tests") {
			return // its own test says who may import it; it may import anything
		}
		a, b := slices.Index(order, top(from)), slices.Index(order, top(to))
		switch {
		case a < 0:
			t.Errorf("%s: folder %s is not in the order %s", file, top(from), strings.Join(order, " → "))
		case b < 0 && !inside(to, "tests"):
			t.Errorf("%s imports %s, whose folder is not in the order", file, to)
		case b > a:
			t.Errorf("%s imports %s: %s stands left of %s in %s",
				file, to, top(from), top(to), strings.Join(order, " → "))
		}
	})
}

func TestNarrowRules(t *testing.T) {
	eachImport(loadTree(t), func(from, to, file string) {
		for _, r := range rules {
			if insideAny(from, r.of) {
				if !r.allows(from, to) {
					t.Errorf("%s imports %s: %s may import only %s (%s)", file, to, from, r.list(), r.reason)
				}
				return
			}
		}
	})
}

func (r rule) allows(from, to string) bool {
	return from == to || insideAny(to, r.may) && (!insideAny(to, r.except) || insideAny(from, r.except))
}

func (r rule) list() string {
	list := strings.Join(r.may, ", ")
	if len(r.may) == 0 {
		list = "nothing of this module"
	}
	if len(r.except) > 0 {
		list += " without " + strings.Join(r.except, ", ")
	}
	return list
}

func TestRulesNamePackages(t *testing.T) {
	packages := slices.Collect(maps.Keys(loadTree(t).packages()))
	named := slices.Concat(shared, deployed)
	for _, r := range rules {
		named = slices.Concat(named, r.of, r.may, r.except)
	}
	for _, folder := range named {
		if !slices.ContainsFunc(packages, func(p string) bool { return inside(p, folder) }) {
			t.Errorf("the policy names %s, where there is no package", folder)
		}
	}
}

// TestDeployedWithoutCompiler follows imports of imports, and says by which way one got in.
func TestDeployedWithoutCompiler(t *testing.T) {
	graph := importGraph(loadTree(t))
	for _, from := range slices.Sorted(maps.Keys(graph)) {
		if !insideAny(from, deployed) {
			continue
		}
		for _, way := range ways(graph, from) {
			at := slices.IndexFunc(way, isCompiler)
			if at == len(way)-1 { // what a package of the compiler imports is no news
				t.Errorf("%s must never depend on %s, even indirectly: %s",
					from, way[at], strings.Join(way, " → "))
			}
		}
	}
}

func isCompiler(folder string) bool {
	return insideAny(folder, compiler) && !insideAny(folder, shared)
}

// ways gives for every package that from reaches one shortest way to it.
func ways(graph map[string][]string, from string) [][]string {
	seen := map[string]bool{from: true}
	found := [][]string{{from}}
	for i := 0; i < len(found); i++ {
		way := found[i]
		for _, next := range graph[way[len(way)-1]] {
			if !seen[next] {
				seen[next] = true
				found = append(found, append(slices.Clone(way), next))
			}
		}
	}
	return found
}

// TestClosureCatchesIndirectImports shows that the closure is one.
func TestClosureCatchesIndirectImports(t *testing.T) {
	graph := map[string][]string{
		"runtime/engine": {"formats/a"}, "formats/a": {"formats/b"}, "formats/b": {"ir", "formats/a"}}
	var reached []string
	for _, way := range ways(graph, "runtime/engine") {
		reached = append(reached, strings.Join(way, ">"))
	}
	want := []string{"runtime/engine", "runtime/engine>formats/a", "runtime/engine>formats/a>formats/b",
		"runtime/engine>formats/a>formats/b>ir"}
	if !slices.Equal(reached, want) {
		t.Errorf("got %v, want %v", reached, want)
	}
}

// TestOnlyTestsImportTests keeps fixtures out of the product. Tests may import to the right:
// a pass is tested with the models it is for.
func TestOnlyTestsImportTests(t *testing.T) {
	for _, f := range loadTree(t).gos {
		if f.test || f.nested || inside(f.dir, "tests") {
			continue
		}
		for _, name := range f.imports() {
			if to, ok := strings.CutPrefix(name, module); ok && inside(to, "tests") {
				t.Errorf("%s imports %s: only _test.go files may", f.path, to)
			}
		}
	}
}

// eachImport visits every import of one package of this module by another, tests left out.
func eachImport(t *tree, visit func(from, to, file string)) {
	for _, f := range t.gos {
		if f.test || f.nested {
			continue
		}
		for _, name := range f.imports() {
			if to, ok := strings.CutPrefix(name, module); ok {
				visit(f.dir, to, f.path)
			}
		}
	}
}

func importGraph(t *tree) map[string][]string {
	graph := map[string][]string{}
	for dir := range t.packages() {
		graph[dir] = nil
	}
	eachImport(t, func(from, to, _ string) { graph[from] = append(graph[from], to) })
	return graph
}

func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func TestAllows(t *testing.T) {
	r := rule{may: []string{"ir", "formats"}, except: []string{"ir/interp"}}
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"formats/models", "ir", true},
		{"formats/models", "ir/dtype", true},
		{"formats/models", "ir/interp", false},
		{"formats/models", "irx", false},
		{"formats/models", "runtime/cpu", false},
	} {
		if got := r.allows(c.from, c.to); got != c.want {
			t.Errorf("%s imports %s: allowed is %v, want %v", c.from, c.to, got, c.want)
		}
	}
}
