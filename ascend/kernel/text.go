package kernel

import (
	"fmt"
	"strings"
)

// Text is the compact form of a kernel for tests: one line a statement, indented by depth.
func Text(k *Kernel) string {
	w := &textWriter{}
	w.line("kernel %s: %s", k.Name, k.Doc)
	for _, v := range k.Params {
		lo, hi := v.Int().Range()
		w.line("param %s %d..%d", v.Name, lo, hi)
	}
	for _, g := range k.Globals {
		w.line("%s %s %s %s [%v, %v, %d]", g.Role, g.Name, g.Elem, g.Shape.Layout, g.Shape.Batch,
			g.Shape.Rows, g.Shape.Cols)
	}
	for _, b := range k.Buffers {
		w.line("%s %s %d × %s", bufferKind(b), b.Name, b.Depth, b.Type)
	}
	w.body(k.Body)
	return w.out.String()
}

func bufferKind(b *Buffer) string {
	if b.Depth > 1 {
		return "ring"
	}
	return "tile"
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

func (w *textWriter) body(b *Body) {
	w.depth++
	for _, s := range b.Stmts {
		w.stmt(s)
	}
	w.depth--
}

func (w *textWriter) stmt(s Stmt) {
	switch s := s.(type) {
	case *For:
		kind := "for"
		if s.Units {
			kind = "units"
		}
		w.line("%s %s = %v..%v step %d", kind, s.Var.Name, s.Lo, s.Hi, s.Step)
		w.body(s.Body)
	case *Stream:
		w.line("stream %s = %v..%v step %d: load", s.Var.Name, s.Lo, s.Hi, s.Step)
		w.body(s.Load)
		w.line("use")
		w.body(s.Use)
	case *If:
		w.line("if %v", s.Cond)
		w.body(s.Then)
		if s.Else != nil {
			w.line("else")
			w.body(s.Else)
		}
	case *Phase:
		w.line("phase %s", s.Name)
		w.body(s.Body)
	default:
		w.line("%s", stmtText(s))
	}
}

// stmtText is the line of a statement that holds no others.
func stmtText(s Stmt) string {
	switch s := s.(type) {
	case *Slot:
		return "take " + s.Buf.Name
	case *Let:
		return fmt.Sprintf("let %s = %v", s.Var.Name, s.Var.Def)
	case *LetFloat:
		return fmt.Sprintf("let %s = %v", s.Name, s.Def)
	case *Note:
		return "# " + s.Text
	case *Load:
		return fmt.Sprintf("%v = load %v", s.Dst, s.Src)
	case *Store:
		if s.Add {
			return fmt.Sprintf("store add %v = %v", s.Dst, s.Src)
		}
		return fmt.Sprintf("store %v = %v", s.Dst, s.Src)
	case *Vector:
		return vectorText(s)
	case *Reduce:
		return fmt.Sprintf("%v = %v %v index %v work %v", s.Dst, s.Op, s.Src, s.Index, s.Work)
	case *Gather:
		return fmt.Sprintf("%v = gather %v by %v", s.Dst, s.Src, s.Offsets)
	case *Iota:
		return fmt.Sprintf("%v = iota from %v", s.Dst, s.First)
	case *Transpose:
		return fmt.Sprintf("%v = transpose %v", s.Dst, s.Src)
	case *ReadInt:
		return fmt.Sprintf("%s = read %v", s.Var.Name, s.Tile)
	case *ReadIndex:
		return fmt.Sprintf("%s = read %v", s.Var.Name, s.At)
	case *ReadFloat:
		return fmt.Sprintf("%s = read %v", s.Name, s.Tile)
	case *Write:
		return fmt.Sprintf("write %v = %v or %v", s.Tile, s.Float, s.Int)
	case *MatMul:
		return fmt.Sprintf("%v = matmul %v by %v turned %v from zero if %v", s.Acc, s.A, s.B,
			s.TransB, s.Init)
	case *Drain:
		return drainText(s)
	case *ToMat:
		return fmt.Sprintf("%v = to mat %v", s.Dst, s.Src)
	case *SyncAll:
		return "sync all"
	}
	panic(fmt.Sprintf("BUG: no line for %T", s))
}

func vectorText(v *Vector) string {
	parts := []string{fmt.Sprintf("%v = %v", v.Dst, v.Op)}
	for _, s := range v.Src {
		parts = append(parts, s.String())
	}
	if v.Op.Info().Scalar {
		parts = append(parts, v.Scalar.String())
	}
	switch v.Op {
	case OpCast:
		parts = append(parts, v.Dst.Elem().String(), v.Round.String())
	case OpCompare, OpCompares:
		parts = append(parts, v.Rel.String())
	}
	return strings.Join(parts, " ")
}

func drainText(d *Drain) string {
	s := fmt.Sprintf("%v = drain %v", d.Dst, d.Acc)
	for _, part := range []struct {
		name string
		tile Tile
	}{{"scale", d.Spec.Scale}, {"deq", d.Spec.Deq}, {"bias", d.Spec.Bias}} {
		if part.tile.Buf != nil {
			s += fmt.Sprintf(" %s %v", part.name, part.tile)
		}
	}
	return s
}
