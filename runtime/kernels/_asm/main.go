// Command asm generates the assembly of moge/runtime/kernels and the Go declarations that
// belong to it, by avo. Run it through go generate in that package.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// families are the kernel families in assembly: x_amd64.s and x_stub_amd64.go each.
var families = []struct {
	name string
	emit func(g *generator)
}{
	{"axpy", emitAxpy},
	{"dot", emitDot},
	{"exp", emitExp},
	{"matmul", emitMatMul},
	{"matmuli8", emitMatMulI8},
	{"probe", emitProbe},
	{"quantize", emitQuantize},
	{"vector", emitVector},
}

// outputFolder is the kernels package, seen from this folder.
const outputFolder = ".."

func main() {
	for _, family := range families {
		if err := generate(family.name, family.emit); err != nil {
			fmt.Fprintf(os.Stderr, "kernel family %s: %v\n", family.name, err)
			os.Exit(1)
		}
	}
}

// generate writes both files of one family, each level after the other.
func generate(name string, emit func(g *generator)) error {
	ctx := build.NewContext()
	ctx.ConstraintExpr("!purego")
	for _, l := range levels {
		emit(&generator{Context: ctx, level: l})
	}
	file, err := ctx.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	if err := checkLevels(file); err != nil {
		return err
	}
	cfg := printer.Config{Argv: []string{"go", "generate"}, Pkg: "kernels"}
	if err := write(printer.NewGoAsm(cfg), file, name+"_amd64.s"); err != nil {
		return err
	}
	return write(printer.NewStubs(cfg), file, name+"_stub_amd64.go")
}

func write(p printer.Printer, file *ir.File, name string) error {
	text, err := p.Print(file)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(outputFolder, name), text, 0o644)
}

// checkLevels rejects a function with an instruction that its level does not have, which
// includes an AVX2 function that needs more than 16 vector registers.
func checkLevels(file *ir.File) error {
	for _, fn := range file.Functions() {
		for _, l := range levels {
			if !strings.HasSuffix(fn.Name, l.name) {
				continue
			}
			for _, extension := range fn.ISA {
				if !slices.Contains(l.extensions, extension) {
					return fmt.Errorf("%s needs %s", fn.Name, extension)
				}
			}
			if l.width < tileRows && usesUpperRegisters(fn) {
				return fmt.Errorf("%s needs more than 16 vector registers", fn.Name)
			}
		}
	}
	return nil
}

// usesUpperRegisters looks for vector registers 16 to 31, which only EVEX encodes.
func usesUpperRegisters(fn *ir.Function) bool {
	for _, instruction := range fn.Instructions() {
		for _, operand := range instruction.Operands {
			var kind rune
			var number int
			_, err := fmt.Sscanf(operand.Asm(), "%c%d", &kind, &number)
			if err == nil && (kind == 'X' || kind == 'Y') && number > 15 {
				return true
			}
		}
	}
	return false
}
