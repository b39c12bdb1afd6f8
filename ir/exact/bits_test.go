package exact

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"hash"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

func writeFloat(h hash.Hash, v float64) {
	h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
}

// The hash was the same for GOARCH=amd64 with GOAMD64=v1 and v3, with the machine's fused
// multiply-add and without (GODEBUG=cpu.fma=off), and for GOARCH=arm64. Arguments come from
// exact operations only.
func TestBitsAreTheSameEverywhere(t *testing.T) {
	const want = "c20ae36f86b6989f2177d7c788fe32a61a5558db17b2092b66bce1a60b190a99"
	h := sha256.New()
	for _, u := range unaries {
		r := rand.New(rand.NewPCG(9, 10))
		for range 30000 {
			for _, x := range []float64{anyFloat(r, -20, 10), anyFloat(r, -5, 2), anyFloat(r, 10, 40)} {
				if v := u.f(x); v == v {
					writeFloat(h, v)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(11, 12))
	for range 30000 {
		writeFloat(h, Pow(math.Abs(anyFloat(r, -4, 30)), anyFloat(r, -6, 5)))
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
