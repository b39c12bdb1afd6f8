package policy

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forbidden is what must not be left in a file.
type forbidden struct {
	pattern *regexp.Regexp
	reason  string
}

// inComments is looked for in the comments of Go files and in the whole of other files.
var inComments = []forbidden{
	{regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`), "unfinished work belongs into an issue"},
	{regexp.MustCompile(`(?i)\b(stubs?|placeholders?)\b`), "nothing in the tree stands in for something else"},
	{regexp.MustCompile(`(?i)\bfor now\b`), "say what holds, or under which condition it changes"},
	{regexp.MustCompile(`(?i)\b(agents?|(my|this) session|integrators?|colleagues?|co-authored-by)\b`),
		"the tree says what it is, not who made it"},
	{regexp.MustCompile(`[=*#~-]{12,}`), "no banners"},
}

// inTexts is looked for everywhere, strings included.
var inTexts = []forbidden{
	{regexp.MustCompile(`(^|[\s"'=(` + "`" + `])/(home|root|work|Users|mnt|builds)/`), "no path of one machine"},
	{regexp.MustCompile(`(?i)\b(goproxy|artifactory|proxy\.[a-z]+\.[a-z]+)\b`), "no name of a proxy or registry"},
}

// textExceptions are files that must spell out what the rules forbid.
var textExceptions = map[string]string{
	"tests/policy/text_test.go": "the rules themselves",
}

func TestNoLeftovers(t *testing.T) {
	tree := loadTree(t)
	for _, f := range tree.texts {
		if textExceptions[f.path] != "" {
			continue
		}
		report(t, f.path, f.text, inTexts)
		if path.Ext(f.path) != ".go" && f.path != "LICENSE" {
			report(t, f.path, f.text, inComments)
		}
	}
	for _, f := range tree.gos {
		if textExceptions[f.path] != "" || f.generated {
			continue
		}
		for _, group := range f.syntax.Comments {
			report(t, tree.positions.Position(group.Pos()).String(), commentText(group), inComments)
		}
	}
}

// commentText is a comment as written; the standard library's form drops directives.
func commentText(group *ast.CommentGroup) string {
	var text strings.Builder
	for _, c := range group.List {
		text.WriteString(c.Text + "\n")
	}
	return text.String()
}

func report(t *testing.T, where, text string, rules []forbidden) {
	t.Helper()
	for _, problem := range problems(where, text, rules) {
		t.Error(problem)
	}
}

func problems(where, text string, rules []forbidden) []string {
	var list []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		for _, r := range rules {
			if found := r.pattern.FindString(line); found != "" {
				list = append(list,
					fmt.Sprintf("%s, line %d: %q: %s", where, number, strings.TrimSpace(found), r.reason))
			}
		}
	}
	return list
}

// TestRulesFind shows that each pattern finds what it is for and leaves its neighbours alone.
func TestRulesFind(t *testing.T) {
	rules := slices.Concat(inComments, inTexts)
	for _, bad := range []string{"// TODO: later", "a stub", "Placeholder text", "good enough for now",
		"// ----------------", `open("/home/x/y")`, "export GOPROXY=x", "the integrator decides"} {
		if len(problems("x", bad, rules)) == 0 {
			t.Errorf("nothing is found in %q", bad)
		}
	}
	for _, good := range []string{"dot_stub_amd64.go", "a = b // -1", "see docs/homework/x",
		"| --- | --- |", "magenta"} {
		if list := problems("x", good, rules); len(list) > 0 {
			t.Errorf("in %q is found %v", good, list)
		}
	}
}

// generatedNames are the files that generators write, and no others carry their header.
var generatedNames = []string{
	"formats/*/*pb/*.pb.go",
	"runtime/kernels/*_stub_amd64.go",
	"runtime/kernels/*_amd64.s",
}

var generatedHeader = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func TestGeneratedHeaders(t *testing.T) {
	seen := make([]bool, len(generatedNames))
	for _, f := range loadTree(t).texts {
		ext := path.Ext(f.path)
		if ext != ".go" && ext != ".s" {
			continue
		}
		pattern := matchAny(generatedNames, f.path)
		head, _, _ := strings.Cut(f.text, "\npackage ")
		has := generatedHeader.MatchString(head)
		if has && pattern < 0 {
			t.Errorf("%s has the header of a generated file, but no generator writes it", f.path)
		}
		if pattern >= 0 {
			seen[pattern] = true
			if !has {
				t.Errorf("%s is generated and does not say so", f.path)
			}
		}
	}
	for i, pattern := range generatedNames {
		if !seen[i] {
			t.Errorf("no file is called %s", pattern)
		}
	}
}

// matchAny is the index of the first pattern that matches, or -1.
func matchAny(patterns []string, name string) int {
	return slices.IndexFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return ok
	})
}
