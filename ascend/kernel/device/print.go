package device

import (
	"fmt"
	"strings"

	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// Version is the CANN release whose names the printed text uses.
type Version uint8

// Releases.
const (
	CANN8 Version = 8
	CANN9 Version = 9
)

// Print is the C++ of p, one file. The bytes depend on p and v alone.
func Print(p *Program, v Version) []byte {
	w := &printer{version: v, prog: p}
	w.file()
	return []byte(w.out.String())
}

type printer struct {
	version Version
	prog    *Program
	out     strings.Builder
	depth   int
	structs int
}

// line writes a line at the current depth.
func (w *printer) line(format string, args ...any) {
	if format != "" {
		w.out.WriteString(strings.Repeat("    ", w.depth))
		fmt.Fprintf(&w.out, format, args...)
	}
	w.out.WriteByte('\n')
}

func (w *printer) open(format string, args ...any) {
	w.line(format+" {", args...)
	w.depth++
}

func (w *printer) openBlock() {
	w.line("{")
	w.depth++
}

func (w *printer) close() {
	w.depth--
	w.line("}")
}

func (w *printer) file() {
	w.header()
	w.helpers()
	w.open("extern \"C\" __global__ __aicore__ void %s(%s)", w.prog.Name, w.parameters())
	if kind := taskKind(w.prog); kind != "" {
		w.line("KERNEL_TASK_TYPE_DEFAULT(%s);", kind)
	}
	w.globals()
	if w.prog.Peer == nil {
		w.core()
	} else {
		w.half("ASCEND_IS_AIC", w.prog)
		w.half("ASCEND_IS_AIV", w.prog.Peer)
	}
	w.close()
}

// taskKind is the kind of kernel that split cores must be told.
func taskKind(p *Program) string {
	switch {
	case p.Peer != nil:
		return "KERNEL_TYPE_MIX_AIC_1_1"
	case p.Core == soc.CoreVector:
		return "KERNEL_TYPE_AIV_ONLY"
	}
	return ""
}

// half prints the program of one half of a split core.
func (w *printer) half(condition string, p *Program) {
	whole := w.prog
	w.prog = p
	w.open("if %s", condition)
	w.core()
	w.close()
	w.prog = whole
}

// core prints memory, names and body of one program.
func (w *printer) core() {
	w.memories()
	w.tensors()
	w.events()
	w.turns()
	w.line("")
	w.block(w.prog.Body)
}

func (w *printer) header() {
	p := w.prog
	w.line("// %s", p.Doc)
	w.line("// For %s. Shapes are compiled in; what varies between launches:", p.Chip.Family())
	for _, v := range p.Params {
		lo, hi := v.Int().Range()
		w.line("//   %s in [%d, %d]", v.Name, lo, hi)
	}
	for _, g := range p.Globals {
		w.line("//   %-7s %s %s%s", g.Role, g.Name, g.Elem, shapeText(g))
	}
	w.line("#include \"kernel_operator.h\"")
	w.line("")
	w.line("using namespace AscendC;")
	w.line("")
}

// shapeText is the shape of a tensor for comments.
func shapeText(g *kernel.Global) string {
	dims := fmt.Sprintf("[%s, %d]", intText(g.Shape.Rows), g.Shape.Cols)
	if !g.Shape.Batch.Is(1) {
		dims = fmt.Sprintf("[%s, %s, %d]", intText(g.Shape.Batch), intText(g.Shape.Rows), g.Shape.Cols)
	}
	if g.Shape.Layout == kernel.NZ {
		return dims + " in NZ"
	}
	return dims
}

// helpers are the functions that the kernel uses and C++ without a library lacks.
func (w *printer) helpers() {
	for _, h := range []struct {
		name, op string
		used     scalar.Op
		float    kernel.FloatOp
	}{{"Lesser", "<", scalar.OpMin, kernel.FloatMin}, {"Greater", ">", scalar.OpMax,
		kernel.FloatMax}} {
		if w.usesInt(h.used) {
			w.helper("int32_t", h.name, h.op)
		}
		if w.usesFloat(h.float) {
			w.helper("float", h.name, h.op)
		}
	}
}

func (w *printer) helper(typ, name, op string) {
	w.open("__aicore__ inline %s %s(%s a, %s b)", typ, name, typ, typ)
	w.line("return a %s b ? a : b;", op)
	w.close()
	w.line("")
}

func (w *printer) usesInt(op scalar.Op) bool {
	found := false
	for p := w.prog; p != nil; p = p.Peer {
		EachInt(p, func(x Int) { found = found || hasOp(x, op) })
	}
	return found
}

func hasOp(x Int, op scalar.Op) bool {
	switch x.Op() {
	case scalar.OpConst, scalar.OpVar:
		return false
	case op:
		return true
	}
	a, b := x.Args()
	return hasOp(a, op) || hasOp(b, op)
}

func (w *printer) usesFloat(op kernel.FloatOp) bool {
	found := false
	for p := w.prog; p != nil; p = p.Peer {
		eachFloat(p, func(f kernel.Float) { found = found || floatHasOp(f, op) })
	}
	return found
}

func floatHasOp(f kernel.Float, op kernel.FloatOp) bool {
	n := f.Node()
	switch n.Op {
	case op:
		return true
	case kernel.FloatConst, kernel.FloatVar, kernel.FloatInt:
		return false
	}
	return floatHasOp(n.A, op) || floatHasOp(n.B, op) || n.Op == kernel.FloatPick &&
		(floatHasOp(n.C, op) || floatHasOp(n.D, op))
}

func (w *printer) parameters() string {
	var ps []string
	for _, g := range w.prog.Globals {
		ps = append(ps, "GM_ADDR "+g.Name)
	}
	for _, v := range w.prog.Params {
		ps = append(ps, "int32_t "+v.Name)
	}
	return strings.Join(ps, ", ")
}

// globals binds the tensors in device memory.
func (w *printer) globals() {
	for _, g := range w.prog.Globals {
		w.line("GlobalTensor<%s> %sGm;", g.Elem, g.Name)
		w.line("%sGm.SetGlobalBuffer(reinterpret_cast<__gm__ %s *>(%s));", g.Name, g.Elem, g.Name)
	}
	w.line("")
}

// memory is how the printed kernel takes a memory of the core.
type memory struct {
	space    soc.Space
	position string
	name     string
}

var memories = []memory{
	{soc.UB, "VECCALC", "ub"},
	{soc.L1, "A1", "l1"},
	{soc.L0A, "A2", "l0a"},
	{soc.L0B, "B2", "l0b"},
	{soc.L0C, "CO1", "l0c"},
}

func (w *printer) memories() {
	w.line("TPipe pipe;")
	for _, m := range memories {
		end := 0
		for _, b := range w.prog.Buffers {
			if b.Space == m.space {
				end = max(end, b.Addr+b.Depth*b.Bytes)
			}
		}
		if end > 0 {
			w.line("TBuf<TPosition::%s> %s;", m.position, m.name)
			w.line("pipe.InitBuffer(%s, %d);", m.name, end)
		}
	}
}

// tensors declares each buffer; a ring is one tensor of all slots.
func (w *printer) tensors() {
	for _, b := range w.prog.Buffers {
		w.line("LocalTensor<%s> %s = %s.GetWithOffset<%s>(%d, %d);%s", b.Elem, tensorName(b),
			memoryName(b.Space), b.Elem, b.Elems()*b.Depth, b.Addr, slotsText(b))
	}
}

// tensorName is the tensor of a whole buffer: of all slots for a ring.
func tensorName(b *Buffer) string {
	if b.Depth == 1 {
		return b.Name
	}
	return b.Name + "Ring"
}

func slotsText(b *Buffer) string {
	if b.Depth == 1 {
		return ""
	}
	return fmt.Sprintf(" // %d slots of %d", b.Depth, b.Elems())
}

func memoryName(s soc.Space) string {
	for _, m := range memories {
		if m.space == s {
			return m.name
		}
	}
	panic("BUG: no name for memory " + s.String())
}

// events names the flags of each pair of pipes.
func (w *printer) events() {
	for _, e := range w.prog.Events {
		comment := ""
		if e.Count > 1 {
			comment = fmt.Sprintf(", one for each of %d slots", e.Count)
		}
		w.line("constexpr int32_t %s = %d; // %s_%s%s", e.Name, e.Base, e.From, e.To, comment)
	}
}

func (w *printer) turns() {
	for _, t := range w.prog.Turns {
		w.line("int32_t %s = 0; // slot of %d", t.Name, t.Depth)
	}
}
