package device

import (
	"fmt"
	"strings"

	"moge/ascend/soc"
)

func (w *printer) block(b *Block) {
	for _, n := range b.Nodes {
		w.node(n)
	}
}

func (w *printer) node(n Node) {
	switch n := n.(type) {
	case *Loop:
		w.loop(n)
	case *If:
		if n.Else == nil && n.Cond.Always() {
			w.openBlock()
		} else {
			w.open("if (%s)", condText(n.Cond))
		}
		w.block(n.Then)
		if n.Else != nil {
			w.depth--
			w.open("} else")
			w.block(n.Else)
		}
		w.close()
	case *Phase:
		w.line("// %s", n.Name)
		w.openBlock()
		w.block(n.Body)
		w.close()
	case *Take:
		w.take(n)
	case *Let:
		w.line("const int32_t %s = %s;", n.Var.Name, intText(n.Var.Def))
	case *LetFloat:
		w.line("const float %s = %s;", n.Name, floatText(n.Def))
	case *Note:
		w.line("// %s", n.Text)
	case *Flag:
		w.flag(n)
	case *Barrier:
		w.line("PipeBarrier<PIPE_%s>();", pipeName(n.Pipe))
	case *Call:
		w.call(n)
	default:
		panic(fmt.Sprintf("BUG: node %T is not printed", n))
	}
}

// loop prints a loop; the units of a core are its contiguous part of all.
func (w *printer) loop(n *Loop) {
	v := n.Var.Name
	lo, hi := intText(n.Lo), intText(n.Hi)
	if n.Units {
		w.line("const int32_t %sShare = %s / static_cast<int32_t>(GetBlockNum());", v, factorText(n.Hi))
		w.line("const int32_t %sRest = %s %% static_cast<int32_t>(GetBlockNum());", v, factorText(n.Hi))
		w.line("const int32_t %sCore = static_cast<int32_t>(GetBlockIdx());", v)
		w.line("const int32_t %sFirst = %sCore * %sShare + (%sCore < %sRest ? %sCore : %sRest);",
			v, v, v, v, v, v, v)
		w.line("const int32_t %sEnd = %sFirst + %sShare + (%sCore < %sRest ? 1 : 0);", v, v, v, v, v)
		lo, hi = v+"First", v+"End"
	}
	step := "++" + v
	if n.Step != 1 {
		step = fmt.Sprintf("%s += %d", v, n.Step)
	}
	w.open("for (int32_t %s = %s; %s < %s; %s)", v, lo, v, hi, step)
	w.block(n.Body)
	w.close()
}

// take prints the index of the slot and moves the turn on.
func (w *printer) take(n *Take) {
	if n.Turn == nil {
		return
	}
	w.line("const int32_t %s = %s;", n.Slot.Index.Name, n.Turn.Name)
	w.line("%s = %s == %d ? 0 : %s + 1;", n.Turn.Name, n.Turn.Name, n.Turn.Depth-1, n.Turn.Name)
	for _, b := range n.Slot.Bufs {
		w.line("LocalTensor<%s> %s = %s[%s * %d];", b.Elem, n.Slot.name(b), tensorName(b),
			n.Slot.Index.Name, b.Elems())
	}
}

func (w *printer) flag(n *Flag) {
	verb := "WaitFlag"
	if n.Set {
		verb = "SetFlag"
	}
	id := n.Event.Name
	if !n.Index.Is(0) {
		id += " + " + intText(n.Index)
	}
	w.line("%s<HardEvent::%s_%s>(%s);", verb, n.Event.From, n.Event.To, id)
}

func (w *printer) call(n *Call) {
	args := make([]string, len(n.Args))
	for i, a := range n.Args {
		args[i] = w.arg(a)
	}
	switch n.API {
	case "GetValue", "SetValue":
		w.element(n, args)
		return
	case Known:
		w.line("const int32_t %s = %s;", n.Int.Name, args[0])
		return
	case "GetBlockIdx":
		w.line("const int32_t %s = static_cast<int32_t>(GetBlockIdx());", n.Int.Name)
		return
	}
	name := w.name(n.API)
	if len(n.Types) > 0 {
		name += "<" + strings.Join(n.Types, ", ") + ">"
	}
	w.line("%s(%s);", name, strings.Join(args, ", "))
}

// element prints the reading or writing of one element.
func (w *printer) element(n *Call, args []string) {
	if g, ok := n.Args[0].(Global); ok {
		if n.API == "SetValue" {
			w.line("%sGm.SetValue(%s, %s);", g.Global.Name, intText(g.Off), args[1])
			return
		}
		w.line("const int32_t %s = %sGm.GetValue(%s);", n.Int.Name, g.Global.Name, intText(g.Off))
		return
	}
	t := n.Args[0].(Local)
	index := intText(t.Off)
	t.Off = Int{}
	get := fmt.Sprintf("%s.GetValue(%s)", localCpp(t), index)
	switch {
	case n.API == "SetValue":
		w.line("%s.SetValue(%s, %s);", localCpp(t), index, args[1])
	case n.Int != nil:
		w.line("const int32_t %s = static_cast<int32_t>(%s);", n.Int.Name, get)
	case t.Elem == soc.Float:
		w.line("const float %s = %s;", n.Float, get)
	default:
		w.line("const float %s = static_cast<float>(%s);", n.Float, get)
	}
}

// renamed maps names of CANN 8.x to those that 9.x gives the same calls; the old names still
// compile there where the table of calls says so, but are deprecated.
var renamed = map[string]string{
	"CompareScalar":    "Compares",
	"ArithProgression": "Arange",
}

func (w *printer) name(api string) string {
	if w.version == CANN9 && renamed[api] != "" {
		return renamed[api]
	}
	return api
}

func (w *printer) arg(a Arg) string {
	switch a := a.(type) {
	case Local:
		return localCpp(a)
	case Global:
		if a.Off.Is(0) {
			return a.Global.Name + "Gm"
		}
		return fmt.Sprintf("%sGm[%s]", a.Global.Name, intText(a.Off))
	case Number:
		if a.Type == "" {
			return intText(a.X)
		}
		return fmt.Sprintf("static_cast<%s>(%s)", a.Type, intText(a.X))
	case Scalar:
		return scalarCpp(a)
	case Enum:
		return string(a)
	case Bool:
		return boolCpp(a)
	case Struct:
		return w.structure(a)
	case Named:
		return w.named(a)
	case Address:
		return fmt.Sprintf("reinterpret_cast<uint64_t>(%s.GetPhyAddr())", localCpp(a.Local))
	}
	panic(fmt.Sprintf("BUG: argument %T is not printed", a))
}

func (w *printer) structure(a Struct) string {
	fields := make([]string, len(a.Fields))
	for i, f := range a.Fields {
		fields[i] = w.arg(f.Value)
	}
	return a.Type + "(" + strings.Join(fields, ", ") + ")"
}

// named prints the filling of a struct before the call, and its name in the call.
func (w *printer) named(a Named) string {
	w.structs++
	name := fmt.Sprintf("params%d", w.structs)
	w.line("%s %s;", a.Type, name)
	for _, f := range a.Fields {
		w.line("%s.%s = %s;", name, f.Name, w.arg(f.Value))
	}
	return name
}

func boolCpp(a Bool) string {
	if len(a.Conds) == 0 {
		return fmt.Sprint(a.Value)
	}
	parts := make([]string, len(a.Conds))
	for i, c := range a.Conds {
		parts[i] = condText(c)
	}
	return strings.Join(parts, " && ")
}

func scalarCpp(a Scalar) string {
	text := floatText(a.X)
	if a.Elem == soc.Float {
		return text
	}
	return fmt.Sprintf("static_cast<%s>(%s)", a.Elem, text)
}

// localCpp is a tensor from an element on; the offset counts elements as they are read.
func localCpp(a Local) string {
	s := tensorName(a.Buf)
	if a.Slot != nil && a.Slot.Index != nil {
		s = a.Slot.name(a.Buf)
	}
	if a.Elem != a.Buf.Elem {
		s = fmt.Sprintf("%s.ReinterpretCast<%s>()", s, a.Elem)
	}
	if a.Off.Is(0) {
		return s
	}
	return fmt.Sprintf("%s[%s]", s, intText(a.Off))
}
