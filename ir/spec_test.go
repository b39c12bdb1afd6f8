package ir

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// specOp is a section of SPEC.md.
type specOp struct {
	name    string
	quote   string
	bullets []string
	example string // IR text of nodes
}

// readSpec splits SPEC.md into its op sections, and gives the whole text.
func readSpec(t testing.TB) ([]specOp, string) {
	t.Helper()
	raw, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	var ops []specOp
	for _, section := range strings.Split(text, "\n### ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		op := specOp{name: name}
		prose, rest, ok := strings.Cut(body, "\n```\n")
		example, after, closed := strings.Cut(rest, "```\n")
		if !ok || !closed || strings.TrimSpace(after) != "" {
			t.Fatalf("section %s does not end with its example", name)
		}
		op.example = example
		for _, line := range strings.Split(prose, "\n") {
			if quote, ok := strings.CutPrefix(line, "> "); ok {
				op.quote = quote
			} else if bullet, ok := strings.CutPrefix(line, "* "); ok {
				op.bullets = append(op.bullets, bullet)
			}
		}
		ops = append(ops, op)
	}
	return ops, text
}

// exampleGraph completes an example to the text of a graph.
func exampleGraph(op specOp) string {
	return "moge.ir 1\ngraph \"example\"\n" + op.example
}

func TestSpecListsTheTable(t *testing.T) {
	spec, _ := readSpec(t)
	for i, op := range Ops() {
		if i >= len(spec) || spec[i].name != op.String() {
			t.Fatalf("section %d is not that of %v", i, op)
		}
		if spec[i].quote != op.Semantics() {
			t.Errorf("%v: SPEC.md says %q, the table %q", op, spec[i].quote, op.Semantics())
		}
		row, want := op.row(), []string{}
		if line := attrLine(row); line != "" {
			want = append(want, line)
		}
		if line := kindLine(op); line != "" {
			want = append(want, line)
		}
		var got []string
		for _, b := range spec[i].bullets {
			if strings.HasPrefix(b, "Attributes: ") || strings.HasPrefix(b, "Kind: ") {
				got = append(got, b)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: SPEC.md has %q, the table gives %q", op, got, want)
		}
	}
	if len(spec) != len(Ops()) {
		t.Errorf("SPEC.md has %d sections for %d ops", len(spec), len(Ops()))
	}
}

func attrLine(row *opRow) string {
	kinds := map[AttrKind]string{IntAttr: "int", FloatAttr: "float", StringAttr: "string",
		DTypeAttr: "type"}
	var attrs []string
	for _, a := range row.attrs {
		kind := kinds[a.kind]
		if a.optional {
			kind += ", optional"
		}
		attrs = append(attrs, fmt.Sprintf("`%s` (%s)", a.name, kind))
	}
	if attrs == nil {
		return ""
	}
	return "Attributes: " + strings.Join(attrs, ", ") + "."
}

func kindLine(op Op) string {
	row, kinds := op.row(), []string{}
	if row.weight || op == OpWeight {
		kinds = append(kinds, "also on weights")
	}
	if row.effect {
		kinds = append(kinds, "kept even when unused")
	}
	if row.declared {
		kinds = append(kinds, "type stated")
	}
	if op.Fused() {
		kinds = append(kinds, "fused")
	}
	if len(kinds) == 0 {
		return ""
	}
	return "Kind: " + strings.Join(kinds, "; ") + "."
}

// An example is a graph whose last node is of the section's op, in printed form.
func TestSpecExamplesParse(t *testing.T) {
	spec, _ := readSpec(t)
	for _, op := range spec {
		text := exampleGraph(op)
		g, err := Parse(op.name, text)
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
			continue
		}
		if last := g.Nodes[len(g.Nodes)-1].Op.String(); last != op.name {
			t.Errorf("the example of %s ends with %s", op.name, last)
		}
		if again := g.String(); again != text {
			t.Errorf("%s prints as\n%s", op.name, again)
		}
	}
}

var label = regexp.MustCompile("`([a-z0-9_]+_c[0-9]+)`")

// Sources, SPEC.md and tests name the same constraints, SPEC.md each once and in the
// section of its op.
func TestConstraintLabelsAgree(t *testing.T) {
	spec, text := readSpec(t)
	var inSpec []string
	for _, m := range label.FindAllStringSubmatch(text, -1) {
		inSpec = append(inSpec, m[1])
	}
	for _, op := range spec {
		next := 0
		for _, b := range op.bullets {
			if m := label.FindStringSubmatch(b); m != nil {
				var n int
				if _, err := fmt.Sscanf(m[1], op.name+"_c%d", &n); err != nil || n <= next {
					t.Errorf("section %s lists %s out of order", op.name, m[1])
				}
				next = n
			}
		}
	}
	tested := graphLabels()
	for _, c := range violationCases() {
		tested = append(tested, c.label)
	}
	compareLabels(t, "SPEC.md", inSpec, "the sources", sourceLabels(t))
	compareLabels(t, "SPEC.md", inSpec, "the tests", tested)
}

func compareLabels(t *testing.T, nameA string, a []string, nameB string, b []string) {
	t.Helper()
	slices.Sort(a)
	if len(slices.Compact(slices.Clone(a))) != len(a) {
		t.Errorf("%s names a constraint twice", nameA)
	}
	for _, l := range a {
		if !slices.Contains(b, l) {
			t.Errorf("%s is in %s but not in %s", l, nameA, nameB)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			t.Errorf("%s is in %s but not in %s", l, nameB, nameA)
		}
	}
}
