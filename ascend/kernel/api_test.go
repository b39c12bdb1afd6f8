package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The author level names no queue, no flag and no chip: neither in what it exports nor inside.
func TestAuthorLevelNamesNoQueueFlagOrChip(t *testing.T) {
	banned := []string{"pipe", "flag", "event", "barrier", "mte", "310", "910", "chip", "fixpipe"}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			for _, word := range banned {
				if ok && strings.Contains(strings.ToLower(id.Name), word) {
					t.Errorf("%s names %s", name, id.Name)
				}
			}
			return true
		})
	}
}

// Everything exported is documented.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, dir := range []string{".", "scalar", "device", "lower"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			path := filepath.Join(dir, e.Name())
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if ok && fn.Name.IsExported() && fn.Doc == nil && !implied(fn.Name.Name) {
					t.Errorf("%s: %s has no comment", path, fn.Name.Name)
				}
			}
		}
	}
}

// implied are methods of well-known interfaces.
func implied(name string) bool { return name == "String" || name == "Error" }

func TestMistakesNameTheAuthorsLine(t *testing.T) {
	cases := []struct {
		name  string
		write func(*Builder)
		want  string
	}{
		{"types differ", func(k *Builder) {
			x := k.Input("x", F16, Matrix(N(4), 16))
			k.Load(k.Tile("t", VecTile(F32, 4, 16)), x.All())
		}, "load between float and half"},
		{"extents differ", func(k *Builder) {
			x := k.Input("x", F16, Matrix(N(4), 16))
			k.Load(k.Tile("t", VecTile(F16, 2, 16)), x.All())
		}, "load between [2, 16] and [4, 16]"},
		{"store to input", func(k *Builder) {
			x := k.Input("x", F16, Matrix(N(4), 16))
			k.Store(x.All(), k.Tile("t", VecTile(F16, 4, 16)))
		}, "store to the input x"},
		{"wrong memory", func(k *Builder) {
			k.Exp(k.Tile("t", MatTile(F16, 16, 16)), k.Tile("u", VecTile(F16, 16, 16)))
		}, "Exp: t is in mat, not vec"},
		{"accumulator type", func(k *Builder) {
			a, b := k.Tile("a", MatTile(I8, 16, 32)), k.Tile("b", MatTile(I8, 16, 32))
			k.MatMul(k.Tile("acc", AccTile(F32, 16, 16)), a, b, Always())
		}, "MatMul of int8_t accumulates in int32_t, not float"},
		{"turned bytes", func(k *Builder) {
			a, b := k.Tile("a", MatTile(I8, 16, 32)), k.Tile("b", MatTile(I8, 32, 16))
			k.MatMulT(k.Tile("acc", AccTile(I32, 16, 16)), a, b, Always())
		}, "MatMulT of int8_t elements: only those of 16 bits can be turned"},
		{"ring taken too often", func(k *Builder) {
			r := k.Ring("r", 2, VecTile(F16, 1, 16))
			r.Next()
			r.Next()
			r.Next()
		}, "ring r of 2 is taken 3 times in one block"},
		{"ring taken inside", func(k *Builder) {
			r := k.Ring("r", 2, VecTile(F16, 1, 16))
			r.Next()
			k.For("i", N(0), N(4), 1, func(Int) { r.Next() })
		}, "ring r is taken again inside the block that holds a slot of it"},
		{"ring too short for a stream", func(k *Builder) {
			r := k.Ring("r", 3, VecTile(F16, 1, 16))
			k.Stream("i", N(0), N(4), 1, func(Int) { r.Next(); r.Next() }, func(Int) {})
		}, "ring r of 3 is taken 2 times by the load of a stream, which runs one iteration ahead"},
		{"reserved name", func(k *Builder) { k.Tile("half", VecTile(F16, 1, 16)) },
			"the name half means something in the printed kernel"},
		{"not a name", func(k *Builder) { k.Tile("a b", VecTile(F16, 1, 16)) },
			`"a b" is not a name of letters and digits`},
		{"phase in a loop", func(k *Builder) {
			k.For("i", N(0), N(4), 1, func(Int) { k.Phase("p", func() {}) })
		}, "phase p is inside a loop"},
		{"empty range", func(k *Builder) { k.Param("n", 3, 2) }, "parameter n has the empty range 3..2"},
	}
	for _, c := range cases {
		k := New("k", "test")
		c.write(k)
		_, err := k.Build()
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		first := err.(Errors)[0]
		if first.What != c.want || !strings.HasPrefix(first.Position, "api_test.go:") {
			t.Errorf("%s: %v\nwant: %s", c.name, first, c.want)
		}
	}
}

func TestTextOfKernel(t *testing.T) {
	k := New("twice", "y = 2 x")
	rows := k.Param("rows", 1, 9)
	x := k.Input("x", F16, Matrix(rows, 32))
	y := k.Output("y", F16, Matrix(rows, 32))
	r := k.Ring("tile", 2, VecTile(F16, 1, 32))
	k.Units("row", rows, func(i Int) {
		a := r.Next()
		k.Load(a, x.Rows(i, N(1)))
		k.Muls(a, a, F(2))
		k.Store(y.Rows(i, N(1)), a)
	})
	built, err := k.Build()
	if err != nil {
		t.Fatal(err)
	}
	want := `kernel twice: y = 2 x
param rows 1..9
in x half nd [1, rows, 32]
out y half nd [1, rows, 32]
ring tile 2 × vec nd half [1, 32]
  units row = 0..rows step 1
    take tile
    tile = load x[row +1, 0 +32]
    tile = Muls tile 2.0
    store y[row +1, 0 +32] = tile
`
	if got := Text(built); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWorkColsFollowsTheDocumentedRounds(t *testing.T) {
	for _, c := range []struct {
		e     Elem
		cols  int
		index bool
		want  int
	}{
		{F32, 64, false, 8},
		{F32, 64, true, 8},
		{F32, 8320, false, 264}, // 130 repeats, pairs of 4 bytes, whole blocks of 8
		{F16, 8320, false, 144}, // 65 repeats, pairs of 2 bytes, whole blocks of 16
	} {
		if got := WorkCols(c.e, c.cols, c.index); got != c.want {
			t.Errorf("WorkCols(%v, %d, %v) = %d, want %d", c.e, c.cols, c.index, got, c.want)
		}
	}
}
