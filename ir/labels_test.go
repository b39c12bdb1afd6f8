package ir

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ruleFunc is what a function of the package says about constraints.
type ruleFunc struct {
	labels   []string // whole labels, such as linear_c4
	suffixes []string // _c1, put behind the name of the op
	calls    []ruleCall
}

// ruleCall is a call, with the op name it passes on, if it passes one as a constant.
type ruleCall struct{ callee, name string }

var (
	wholeLabel  = regexp.MustCompile(`^[a-z0-9_]+_c[0-9]+$`)
	labelSuffix = regexp.MustCompile(`^_c[0-9]+$`)
)

// readRules parses the package's sources.
func readRules(t *testing.T) map[string]*ruleFunc {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]*ruleFunc{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := goparser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				rules[fn.Name.Name] = readRule(fn)
			}
		}
	}
	return rules
}

func readRule(fn *ast.FuncDecl) *ruleFunc {
	rule := &ruleFunc{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text := literal(n); labelSuffix.MatchString(text) {
				rule.suffixes = append(rule.suffixes, text)
			} else if wholeLabel.MatchString(text) {
				rule.labels = append(rule.labels, text)
			}
		case *ast.CallExpr:
			rule.calls = append(rule.calls, readCall(n))
		}
		return true
	})
	return rule
}

func readCall(call *ast.CallExpr) ruleCall {
	var c ruleCall
	switch f := call.Fun.(type) {
	case *ast.Ident:
		c.callee = f.Name
	case *ast.SelectorExpr:
		c.callee = f.Sel.Name
	}
	for _, arg := range call.Args {
		if lit, ok := arg.(*ast.BasicLit); ok {
			if _, isOp := ParseOp(literal(lit)); isOp {
				c.name = literal(lit)
			}
		}
	}
	return c
}

// literal is the value of a string literal, empty for others.
func literal(lit *ast.BasicLit) string {
	text, err := strconv.Unquote(lit.Value)
	if lit.Kind != token.STRING || err != nil {
		return ""
	}
	return text
}

// unreachable are labels that a rule shared by the three sources can spell but not give:
// an input may depend on the step, and only a state is a row of heads.
var unreachable = []string{"input_c3", "input_c4", "weight_c4"}

// sourceLabels lists the constraints that the sources can report: those of Verify, and
// for every op those that its type rule reaches.
func sourceLabels(t *testing.T) []string {
	t.Helper()
	rules := readRules(t)
	found := map[string]bool{}
	for _, name := range []string{"Verify", "checkForm"} {
		reach(rules, name, "", map[string]bool{}, found)
	}
	for _, op := range Ops() {
		full := runtime.FuncForPC(reflect.ValueOf(op.row().infer).Pointer()).Name()
		infer := full[strings.LastIndexByte(full, '.')+1:]
		if rules[infer] == nil {
			t.Fatalf("type rule %s of %v is not a function of the package", full, op)
		}
		reach(rules, infer, op.String(), map[string]bool{}, found)
	}
	var labels []string
	for l := range found {
		if !slices.Contains(unreachable, l) {
			labels = append(labels, l)
		}
	}
	for name, rule := range rules {
		for _, l := range rule.labels {
			if !found[l] {
				t.Errorf("%s names %s, which no type rule reaches", name, l)
			}
		}
	}
	slices.Sort(labels)
	return labels
}

// reach collects the labels of a function and of what it calls on behalf of op name.
func reach(rules map[string]*ruleFunc, fn, name string, seen, found map[string]bool) {
	rule := rules[fn]
	if rule == nil || seen[fn+" "+name] || fn == "infer" {
		return
	}
	seen[fn+" "+name] = true
	for _, l := range rule.labels {
		found[l] = true
	}
	for _, suffix := range rule.suffixes {
		if name != "" {
			found[name+suffix] = true
		}
	}
	for _, c := range rule.calls {
		next := name
		if c.name != "" {
			next = c.name
		}
		reach(rules, c.callee, next, seen, found)
	}
}
