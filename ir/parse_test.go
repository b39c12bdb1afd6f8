package ir

import (
	"strings"
	"testing"
)

const head = "moge.ir 1\ngraph \"g\"\n"

const x2 = head + "%0 = input() {name=\"x\"} : f32[T,2]\n"

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `f:1: first line is "", want "moge.ir 1"`},
		{"moge.ir 2\n", `f:1: first line is "moge.ir 2", want "moge.ir 1"`},
		{"moge.ir 1\nmeta\n", `f:2: second line is "meta", want graph "name"`},
		{"moge.ir 1\ngraph `g`\n", "f:2: second line is \"graph `g`\", want graph \"name\""},
		{"moge.ir 1\ngraph \"g\"", "f:2: the text does not end with a newline"},
		{head + "\n", "f:3: text after the empty line"},
		{head + "meta \"a\" = b\n", `f:3: want a quoted string before "b"`},
		{head + "meta \"a\"=\"b\"\n", `f:3: want " = " before "=\"b\""`},
		{head + "meta \"a\" = \"b\" \n", `f:3: unexpected " "`},
		{head + "meta \"b\" = \"\"\nmeta \"a\" = \"\"\n", `f:4: meta "a" is out of order`},
		{head + "meta \"a\" = \"\"\nmeta \"a\" = \"\"\n", `f:4: meta "a" is out of order`},
		{x2 + "meta \"a\" = \"\"\n", `f:4: meta "a" is out of order`},
		{head + "nothing\n", `f:3: want "%" before "nothing"`},
		{head + "%01 = iota()\n", `f:3: want a value number before "01 = iota()"`},
		{head + "%1 = iota()\n", `f:3: result %1, want %0`},
		{head + "%0, %2 = iota()\n", `f:3: result %2, want %1`},
		{head + "%0 = iota\n", `f:3: want a name before "(" in "iota"`},
		{head + "%0 = blend()\n", `f:3: unknown op "blend"`},
		{x2 + "%1 = silu(%1) : f32[T,2]\n", `f:4: %1 is not defined`},
		{x2 + "%1 = silu(%0 : f32[T,2]\n", `f:4: want ")" before " : f32[T,2]"`},
		{x2 + "%1 = silu(%0)\n", `f:4: want " : " before ""`},
		{x2 + "%1 = silu(%0) : f32\n", `f:4: want a type before "f32"`},
		{x2 + "%1 = silu(%0) : f31[T]\n", `f:4: unknown element type "f31"`},
		{x2 + "%1 = silu(%0) : f32[Q]\n", `f:4: bad dimension "Q"`},
		{x2 + "%1 = silu(%0) : f32[T,2] \n", `f:4: unexpected " "`},
		{x2 + "%1 = silu(%0) : f32[T,3]\n",
			`f:4: result 0 of silu is f32[T,2], but f32[T,3] is stated`},
		{x2 + "%1, %2 = silu(%0) : f32[T,2], f32[T,2]\n", `f:4: silu has 1 results, 2 are named`},
		{x2 + "%1 = silu(%0) {k=1} : f32[T,2]\n", `f:4: attribute "k" is unknown or out of order`},
		{x2 + "%1 = silu(%0, %0) : f32[T,2]\n", `f:4: silu at "": graph_c9: 2 arguments`},
		{head + "%0 = iota() {step=1, count=2} : i32[2]\n",
			`f:3: attribute "count" is unknown or out of order`},
		{head + "%0 = iota() {count=2, count=2} : i32[2]\n",
			`f:3: attribute "count" is unknown or out of order`},
		{head + "%0 = iota() {count=02, step=1} : i32[2]\n",
			`f:3: attribute count has the bad value 02`},
		{head + "%0 = iota() {count=2\n", `f:3: want } in "2"`},
		{head + "%0 = iota() {count=2} : i32[2]\n",
			`f:3: iota at "": graph_c11: attribute step is missing`},
		{head + "%0 = input() {name=x} : f32[T]\n",
			`f:3: want a quoted string before "x} : f32[T]"`},
		{x2 + "%1 = rms_norm(%0, %0) {eps=NaN} : f32[T,2]\n",
			`f:4: attribute eps has the bad value NaN`},
		{x2 + "%1 = rms_norm(%0, %0) {eps=0.10} : f32[T,2]\n",
			`f:4: attribute eps has the bad value 0.10`},
		{x2 + "%1 = cast(%0) {to=f8} : f32[T,2]\n", `f:4: attribute to has the bad value f8`},
		{x2 + "%1 = linear(%0, %0) @x : f32[T,2]\n",
			`f:4: linear at "x": linear_c2: the weight is f32[T,2]`},
		{x2 + "output \"y\" = %1\n", `f:4: %1 is not defined`},
		{x2 + "output \"y\" = %0\n%1 = silu(%0) : f32[T,2]\n", `f:5: a node after an output`},
		{x2 + "output \"y\" = %0\noutput \"y\" = %0\n",
			`f: graph_c8: the output name "y" is empty or taken`},
		{x2 + "%1 = silu(%0) @a/b : f32[T,2]\n",
			`f: node 1: %1 = silu(%0) @a/b : f32[T,2]: graph_c13: the site "a/b" is not made of letters, digits and ._+-`},
		{head + strings.Repeat("é", 50) + "\n",
			"f:3: want \"%\" before \"" + strings.Repeat("é", 20) + "…\""},
	} {
		if _, err := Parse("f", c.text); err == nil || err.Error() != c.want {
			t.Errorf("%q:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}

// Whatever parses prints as itself, and what was printed parses.
func FuzzParse(f *testing.F) {
	spec, _ := readSpec(f)
	for _, op := range spec {
		f.Add(exampleGraph(op))
	}
	f.Add(sample(f).String())
	f.Add(x2 + "%1 = silu(%0) @a+b : f32[T,2]\noutput \"y\" = %1\n")
	f.Add(head + "meta \"a\" = \"\\n\"\n%0 = iota() {count=1, step=0} : i32[1]\n")
	f.Add(head + "%0 = input() {name=\"x, }\"} : state:f32[8*ceil(T_pad/16)]\n")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := Parse("fuzz", text)
		if err != nil {
			return
		}
		if again := g.String(); again != text {
			t.Fatalf("%q\nprints as\n%q", text, again)
		}
		if _, err := Rewrite(g, func(*Rewriter, *Node) []*Value { return nil }); err != nil {
			t.Fatalf("a copy of %q: %v", text, err)
		}
	})
}
