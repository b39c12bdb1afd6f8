package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the top of the tree, seen from this package.
const root = "../.."

const module = "moge/"

// textFile is any file that a person reads.
type textFile struct {
	path string // slash-separated, below root
	text string
}

// goFile is a Go file with its syntax.
type goFile struct {
	textFile
	dir       string // its folder, which names its package inside the module
	test      bool
	generated bool
	nested    bool // part of another module, such as a generator
	syntax    *ast.File
}

// tree is everything the rules are about.
type tree struct {
	positions *token.FileSet
	texts     []textFile // Go files included
	gos       []goFile
}

var load = sync.OnceValues(func() (*tree, error) {
	t := &tree{positions: token.NewFileSet()}
	err := filepath.WalkDir(root, t.visit)
	return t, err
})

func loadTree(t *testing.T) *tree {
	t.Helper()
	loaded, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func (t *tree) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if entry.IsDir() {
		if skipFolder(name, entry.Name()) {
			return fs.SkipDir
		}
		return nil
	}
	if !isText(entry.Name()) {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	below, err := filepath.Rel(root, name)
	if err != nil {
		return err
	}
	file := textFile{filepath.ToSlash(below), string(data)}
	t.texts = append(t.texts, file)
	if path.Ext(file.path) != ".go" {
		return nil
	}
	return t.parse(file)
}

// skipFolder leaves out what is data or the product of a run.
func skipFolder(name, base string) bool {
	if name == root {
		return false
	}
	return base == ".git" || base == "testdata" ||
		strings.HasSuffix(base, ".moge") || strings.HasSuffix(base, ".partial")
}

func isText(base string) bool {
	plain := []string{"Makefile", "run", "go.mod", ".gitignore", ".gitattributes"}
	exts := []string{".go", ".s", ".md", ".proto", ".yaml", ".yml", ".sh", ".h", ".cc", ".cpp", ".txt"}
	return slices.Contains(plain, base) || slices.Contains(exts, path.Ext(base))
}

func (t *tree) parse(file textFile) error {
	syntax, err := parser.ParseFile(t.positions, file.path, file.text, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(file.path)
	t.gos = append(t.gos, goFile{
		textFile: file, dir: dir, syntax: syntax,
		test:      strings.HasSuffix(file.path, "_test.go"),
		generated: ast.IsGenerated(syntax),
		nested:    strings.HasPrefix(dir, "_") || strings.Contains(dir, "/_"),
	})
	return nil
}

// imports lists what a file imports.
func (f *goFile) imports() []string {
	var list []string
	for _, spec := range f.syntax.Imports {
		list = append(list, strings.Trim(spec.Path.Value, `"`+"`"))
	}
	return list
}

// packages maps every folder with Go files to them; other modules are left out.
func (t *tree) packages() map[string][]goFile {
	byDir := map[string][]goFile{}
	for _, f := range t.gos {
		if !f.nested {
			byDir[f.dir] = append(byDir[f.dir], f)
		}
	}
	return byDir
}

// inside reports whether a slash-separated path is folder or lies below it.
func inside(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

func insideAny(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return inside(name, f) })
}

// TestTreeIsSeen fails when the walk misses the tree, in which case every rule would hold.
func TestTreeIsSeen(t *testing.T) {
	seen := loadTree(t)
	for _, want := range []string{"ir/optable.go", "passes/table.go", "go.mod", "ir/SPEC.md",
		"runtime/kernels/_asm/main.go", "tests/policy/tree_test.go", ".ci/run", "Makefile"} {
		if !slices.ContainsFunc(seen.texts, func(f textFile) bool { return f.path == want }) {
			t.Errorf("the walk does not see %s", want)
		}
	}
}
