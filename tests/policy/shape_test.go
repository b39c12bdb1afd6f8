package policy

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The house numbers, for hand-written code. A file or function at a limit wants to be two.
const (
	maxColumns     = 110 // runes, a tab counting as one; 100 is the aim
	maxTableRow    = 140 // of a composite literal's element, which reads best on one line
	maxFile        = 600 // lines
	maxTestFile    = 900
	maxFunction    = 80 // lines, from the line of func to that of the closing brace
	medianFunction = 10 // at most, over the whole tree without tests
)

// longFunctions may be longer, for the reason given.
var longFunctions = map[string]string{
	"ir/optable.go init": "one table: a row for every op",
}

func TestFileSizes(t *testing.T) {
	for _, f := range loadTree(t).gos {
		limit := maxFile
		if f.test {
			limit = maxTestFile
		}
		if n := strings.Count(f.text, "\n"); n > limit && !f.generated {
			t.Errorf("%s has %d lines, at most %d are allowed", f.path, n, limit)
		}
	}
}

func TestLineLengths(t *testing.T) {
	tree := loadTree(t)
	for _, f := range tree.gos {
		if f.generated {
			continue
		}
		rows := tableRows(tree.positions, f.syntax)
		number := 0
		for line := range strings.Lines(f.text) {
			number++
			limit := maxColumns
			if rows[number] {
				limit = maxTableRow
			}
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > limit {
				t.Errorf("%s:%d: %d columns, at most %d are allowed", f.path, number, n, limit)
			}
		}
	}
}

// tableRows are the lines that hold whole elements of a composite literal begun above them.
func tableRows(positions *token.FileSet, syntax *ast.File) map[int]bool {
	rows := map[int]bool{}
	line := func(p token.Pos) int { return positions.Position(p).Line }
	ast.Inspect(syntax, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		for _, element := range literal.Elts {
			first, last := line(element.Pos()), line(element.End())
			if first == last && first > line(literal.Lbrace) {
				rows[first] = true
			}
		}
		return true
	})
	return rows
}

func TestFunctionSizes(t *testing.T) {
	tree := loadTree(t)
	excused := map[string]bool{}
	var sizes []int
	for _, f := range tree.gos {
		if f.generated {
			continue
		}
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := tree.positions.Position(fn.End()).Line - tree.positions.Position(fn.Pos()).Line + 1
			if !f.test {
				sizes = append(sizes, lines)
			}
			name := f.path + " " + fn.Name.Name
			if longFunctions[name] != "" {
				excused[name] = lines > maxFunction
			} else if lines > maxFunction {
				t.Errorf("%s has %d lines, at most %d are allowed", name, lines, maxFunction)
			}
		}
	}
	for name := range longFunctions {
		if !excused[name] {
			t.Errorf("%s is excused and need not be: take it off the list", name)
		}
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median > medianFunction {
		t.Errorf("the median function has %d lines, at most %d are allowed", median, medianFunction)
	}
}

// TestPackageComments wants a doc.go everywhere that says what the package is and, for what
// others import, what it must not know or do.
func TestPackageComments(t *testing.T) {
	bounds := regexp.MustCompile(`must\s+not\s+\w+`)
	for dir, files := range loadTree(t).packages() {
		i := slices.IndexFunc(files, func(f goFile) bool { return path.Base(f.path) == "doc.go" })
		if i < 0 {
			t.Errorf("%s has no doc.go", dir)
			continue
		}
		doc, name := files[i].syntax.Doc.Text(), files[i].syntax.Name.Name
		start := "Package " + name + " "
		if name == "main" {
			start = "Command " + path.Base(dir) + " "
		}
		if !strings.HasPrefix(doc, start) {
			t.Errorf("%s/doc.go: the package comment must start with %q", dir, start)
		}
		if name != "main" && !inside(dir, "tests") && !bounds.MatchString(doc) {
			t.Errorf("%s/doc.go does not say what the package must not know or do", dir)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	tree := loadTree(t)
	for _, f := range tree.gos {
		if f.test || f.generated || f.nested {
			continue
		}
		for _, decl := range f.syntax.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no doc comment", tree.positions.Position(name.Pos()), name.Name)
			}
		}
	}
}

// undocumented lists the exported names that a declaration leaves without a word.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc == nil && d.Tok != token.IMPORT {
			return undocumentedSpecs(d.Specs)
		}
	}
	return nil
}

func undocumentedSpecs(specs []ast.Spec) []*ast.Ident {
	var names []*ast.Ident
	for _, spec := range specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
				names = append(names, s.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if s.Doc == nil && s.Comment == nil && name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// exportedReceiver reports whether a function is no method, or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok && !exported {
			exported = name.IsExported()
			return false
		}
		return !exported
	})
	return exported
}
