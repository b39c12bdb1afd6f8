package device

import (
	"fmt"
	"strings"

	"moge/ascend/kernel"
)

// Text is the compact form of a program for tests: one line a node, indented by depth.
func Text(p *Program) string {
	w := &textWriter{}
	for ; p != nil; p = p.Peer {
		w.program(p)
	}
	return w.out.String()
}

func (w *textWriter) program(p *Program) {
	w.line("program %s for %s of %s", p.Name, p.Core, p.Chip.Name())
	for _, v := range p.Params {
		lo, hi := v.Int().Range()
		w.line("param %s %d..%d", v.Name, lo, hi)
	}
	for _, g := range p.Globals {
		w.line("%s %s %s %s [%v, %v, %d]", g.Role, g.Name, g.Elem, g.Shape.Layout, g.Shape.Batch,
			g.Shape.Rows, g.Shape.Cols)
	}
	for _, b := range p.Buffers {
		w.line("buffer %s %s %s at %d, %d of %d bytes", b.Name, b.Space, b.Elem, b.Addr, b.Depth, b.Bytes)
	}
	for _, e := range p.Events {
		w.line("event %s %s_%s ids %d..%d", e.Name, e.From, e.To, e.Base, e.Base+e.Count-1)
	}
	w.block(p.Body)
}

type textWriter struct {
	out   strings.Builder
	depth int
}

func (w *textWriter) line(format string, args ...any) {
	w.out.WriteString(strings.Repeat("  ", w.depth))
	fmt.Fprintf(&w.out, format, args...)
	w.out.WriteByte('\n')
}

func (w *textWriter) block(b *Block) {
	w.depth++
	for _, n := range b.Nodes {
		w.node(n)
	}
	w.depth--
}

func (w *textWriter) node(n Node) {
	switch n := n.(type) {
	case *Loop:
		kind := "for"
		if n.Units {
			kind = "units"
		}
		w.line("%s %s = %v..%v step %d", kind, n.Var.Name, n.Lo, n.Hi, n.Step)
		w.block(n.Body)
	case *If:
		w.line("if %v", n.Cond)
		w.block(n.Then)
		if n.Else != nil {
			w.line("else")
			w.block(n.Else)
		}
	case *Phase:
		w.line("phase %s", n.Name)
		w.block(n.Body)
	default:
		if s := NodeText(n); s != "" {
			w.line("%s", s)
		}
	}
}

// NodeText is the line of a node that holds no others; empty for takings of single slots.
func NodeText(n Node) string {
	switch n := n.(type) {
	case *Take:
		if n.Turn == nil {
			return ""
		}
		return fmt.Sprintf("take %s from %s", n.Slot.Index.Name, n.Turn.Name)
	case *Let:
		return fmt.Sprintf("let %s = %v", n.Var.Name, n.Var.Def)
	case *LetFloat:
		return fmt.Sprintf("let %s = %v", n.Name, n.Def)
	case *Note:
		return "# " + n.Text
	case *Flag:
		verb := "wait"
		if n.Set {
			verb = "set"
		}
		return fmt.Sprintf("%s %s+%v", verb, n.Event.Name, n.Index)
	case *Barrier:
		return "barrier " + pipeName(n.Pipe)
	case *Call:
		return callText(n)
	}
	panic(fmt.Sprintf("BUG: no line for %T", n))
}

func pipeName(p Pipe) string {
	if p == All {
		return "ALL"
	}
	return p.String()
}

func callText(n *Call) string {
	var args []string
	for _, a := range n.Args {
		args = append(args, argText(a))
	}
	s := fmt.Sprintf("%s.%s(%s)", n.Pipe, n.API, strings.Join(args, ", "))
	if n.Int != nil {
		s = n.Int.Name + " = " + s
	}
	if n.Float != "" {
		s = n.Float + " = " + s
	}
	return s
}

func argText(a Arg) string {
	switch a := a.(type) {
	case Local:
		return localText(a)
	case Global:
		return fmt.Sprintf("%s[%v]", a.Global.Name, a.Off)
	case Number:
		return a.X.String()
	case Scalar:
		return fmt.Sprintf("%s(%v)", a.Elem, a.X)
	case Enum:
		return string(a)
	case Bool:
		return boolText(a)
	case Struct:
		return fieldsText(a.Fields)
	case Named:
		return fieldsText(a.Fields)
	case Address:
		return "&" + localText(a.Local)
	}
	panic(fmt.Sprintf("BUG: no text for argument %T", a))
}

func localText(a Local) string {
	s := a.Buf.Name
	if a.Slot != nil && a.Slot.Index != nil {
		s += "@" + a.Slot.Index.Name
	}
	if !a.Off.Is(0) {
		s += fmt.Sprintf("[%v]", a.Off)
	}
	if a.Elem != a.Buf.Elem {
		s += " as " + a.Elem.String()
	}
	return s
}

func boolText(a Bool) string {
	if len(a.Conds) == 0 {
		return fmt.Sprint(a.Value)
	}
	var parts []string
	for _, c := range a.Conds {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, " and ")
}

func fieldsText(fs []Field) string {
	var parts []string
	for _, f := range fs {
		parts = append(parts, f.Name+" "+argText(f.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// accessName is what an access touches.
func accessName(a *Access) string {
	if a.Global != nil {
		return a.Global.Name
	}
	return a.Buf.Name
}

// elems is the storage of a tensor in bytes.
func tensorBytes(g *kernel.Global) Int { return g.Elems().MulN(g.Elem.Bits() / 8) }
