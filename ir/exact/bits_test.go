package exact

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// words are results, and the low words of what they are rounded from: in those, fused
// operations would show that the rounding hides.
func words(x float64) []float64 {
	positive := dd{math.Abs(x), 0}
	quadrant, r := reduce(positive.hi)
	square := r.times(r)
	s, c, e, l := sinSeries.at(square), cosSeries.at(square), expSeries.at(r), log(positive.hi)
	return []float64{float64(quadrant), r.hi, r.lo, s.hi, s.lo, c.hi, c.lo, e.hi, e.lo, l.hi, l.lo,
		Exp(x), Log(positive.hi), Sin(x), Cos(x), positive.over(dd{3, 0x1p-60}).lo}
}

// The hash is that of GOARCH=amd64 with GOAMD64=v1 and v3, with the machine's fused
// multiply-add and without (GODEBUG=cpu.fma=off), of GOARCH=386 and of GOARCH=arm64.
// Arguments come from exact operations only.
func TestBitsAreTheSameEverywhere(t *testing.T) {
	const want = "ff15497c6007fb4763dcfc3b5b4b375168d121b31d8959d34cae6adcd6dba516"
	h := sha256.New()
	r := rand.New(rand.NewPCG(9, 10))
	for range 20000 {
		var out []float64
		for _, x := range []float64{anyFloat(r, -20, 10), anyFloat(r, -5, 2), anyFloat(r, 10, 40)} {
			out = append(out, words(x)...)
		}
		out = append(out, Pow(math.Abs(anyFloat(r, -4, 30)), anyFloat(r, -6, 5)))
		for _, v := range out {
			h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the outputs hash to %s, want %s", got, want)
	}
}

// A product that is not converted may be fused into a sum. Doubling is exact, and integers
// have nothing to round.
func TestProductsAreRounded(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	products := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		rounded := map[ast.Expr]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "float64" || isNewInt(n.Fun) {
					rounded[n.Args[0]] = true
				}
			case *ast.AssignStmt:
				if n.Tok == token.MUL_ASSIGN {
					t.Errorf("%v: product without conversion", set.Position(n.Pos()))
				}
			case *ast.BinaryExpr:
				if n.Op == token.MUL {
					products++
					if !rounded[n] && !isTwo(n.X) {
						t.Errorf("%v: product without conversion", set.Position(n.Pos()))
					}
				}
			}
			return true
		})
	}
	if products < 10 {
		t.Errorf("only %d products were seen", products)
	}
}

func isTwo(x ast.Expr) bool {
	l, ok := x.(*ast.BasicLit)
	return ok && l.Value == "2"
}

func isNewInt(f ast.Expr) bool {
	s, ok := f.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "NewInt"
}
