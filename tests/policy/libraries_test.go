package policy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// loud is what only commands may touch: a library returns errors and takes callbacks.
var loud = []string{"os.Exit", "os.Stdout", "os.Stderr", "os.Stdin",
	"fmt.Print", "fmt.Printf", "fmt.Println", "log.Print", "log.Printf", "log.Println",
	"log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf"}

// TestLibrariesAreSilent keeps printing and exiting to package main and what stands in cmd.
func TestLibrariesAreSilent(t *testing.T) {
	tree := loadTree(t)
	for _, f := range tree.gos {
		if f.test || f.nested || inside(f.dir, "cmd") || inside(f.dir, "tests") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if name := qualified(n); slices.Contains(loud, name) {
				t.Errorf("%s: a library does not use %s", tree.positions.Position(n.Pos()), name)
			}
			if text := panicText(n); text != "" && !strings.HasPrefix(text, "BUG: ") {
				t.Errorf("%s: a panic says BUG:, this one %q", tree.positions.Position(n.Pos()), text)
			}
			return true
		})
	}
}

func qualified(n ast.Node) string {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if from, ok := selector.X.(*ast.Ident); ok && from.Obj == nil {
		return from.Name + "." + selector.Sel.Name
	}
	return ""
}

// panicText is the constant text that a panic starts with, "" if n is none or has none.
func panicText(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return ""
	}
	if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "panic" {
		return ""
	}
	text := ""
	ast.Inspect(call.Args[0], func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && text == "" {
			text = strings.Trim(literal.Value, "`\"")
		}
		return text == ""
	})
	return text
}
