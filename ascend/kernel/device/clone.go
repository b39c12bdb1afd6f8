package device

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
)

// Cond is a comparison of two integers.
type Cond = scalar.Cond

// substitution replaces variables in a copy of nodes.
type substitution struct {
	from  []*scalar.Var
	to    []Int
	keep  *scalar.Var // the definition of this name is as it should be
	loops map[*scalar.Var]*scalar.Var
}

// CloneBlock copies b with v replaced by x; names that depend on v are named anew.
func CloneBlock(b *Block, v *scalar.Var, x Int) *Block {
	s := &substitution{from: []*scalar.Var{v}, to: []Int{x}}
	return s.finish(s.block(b))
}

// finish lets conditions about streams ask the copies of their loops.
func (s *substitution) finish(b *Block) *Block {
	Walk(b, func(_ *Block, _ int, n Node) {
		if f, ok := n.(*If); ok && s.loops[f.Of] != nil {
			f.Of = s.loops[f.Of]
		}
	})
	return b
}

func (s *substitution) add(v *scalar.Var, x Int) {
	s.from, s.to = append(s.from, v),
		append(s.to, x)
}

// int replaces all at once: what stands in place of a variable may mention it.
func (s *substitution) int(x Int) Int {
	return x.Substitute(func(v *scalar.Var) (Int, bool) {
		for i := len(s.from) - 1; i >= 0; i-- {
			if s.from[i] == v {
				return s.to[i], true
			}
		}
		return Int{}, false
	})
}

func (s *substitution) cond(c Cond) Cond { return Cond{Rel: c.Rel, A: s.int(c.A), B: s.int(c.B)} }

func (s *substitution) block(b *Block) *Block {
	if b == nil {
		return nil
	}
	out := &Block{}
	for _, n := range b.Nodes {
		out.Nodes = append(out.Nodes, s.node(n))
	}
	return out
}

func (s *substitution) node(n Node) Node {
	switch n := n.(type) {
	case *Loop:
		c := *n
		c.Lo, c.Hi = s.int(n.Lo), s.int(n.Hi)
		s.bounds(n, &c)
		c.Body = s.block(n.Body)
		return &c
	case *If:
		return &If{Cond: s.cond(n.Cond), Guard: n.Guard, Of: n.Of, Then: s.block(n.Then),
			Else: s.block(n.Else)}
	case *Phase:
		return &Phase{n.Name, s.block(n.Body)}
	case *Let:
		if n.Var == s.keep {
			return n
		}
		def := s.int(n.Var.Def)
		if def == n.Var.Def {
			return n
		}
		v := scalar.NewNamed(n.Var.Name, def)
		s.add(n.Var, v.Int())
		return &Let{v}
	case *LetFloat:
		return &LetFloat{n.Name, s.float(n.Def)}
	case *Flag:
		return &Flag{n.Set, n.Event, s.int(n.Index)}
	case *Call:
		return s.call(n)
	case *Take, *Note, *Barrier:
		return n
	}
	panic("BUG: copy of a node that loads do not hold")
}

// bounds gives the copy of a loop a variable of its own where its range has changed.
func (s *substitution) bounds(n, c *Loop) {
	if c.Lo == n.Lo && c.Hi == n.Hi {
		return
	}
	c.Var = scalar.NewLoop(n.Var.Name, c.Lo, c.Hi, n.Step)
	s.add(n.Var, c.Var.Int())
	if s.loops == nil {
		s.loops = map[*scalar.Var]*scalar.Var{}
	}
	s.loops[n.Var] = c.Var
}

func (s *substitution) call(n *Call) *Call {
	c := *n
	c.Args = nil
	for _, a := range n.Args {
		c.Args = append(c.Args, s.arg(a))
	}
	c.Access = nil
	for _, a := range n.Access {
		a.Off, a.Len = s.int(a.Off), s.int(a.Len)
		if a.Count != nil {
			count := s.int(*a.Count)
			a.Count = &count
		}
		c.Access = append(c.Access, a)
	}
	if n.Int != nil {
		lo, hi := s.int(n.Int.Min), s.int(n.Int.Max)
		if lo != n.Int.Min || hi != n.Int.Max {
			c.Int = scalar.NewRead(n.Int.Name, lo, hi)
			s.add(n.Int, c.Int.Int())
		}
	}
	return &c
}

func (s *substitution) arg(a Arg) Arg {
	switch a := a.(type) {
	case Local:
		a.Off = s.int(a.Off)
		return a
	case Global:
		a.Off = s.int(a.Off)
		return a
	case Number:
		a.X = s.int(a.X)
		return a
	case Scalar:
		a.X = s.float(a.X)
		return a
	case Bool:
		conds := make([]Cond, len(a.Conds))
		for i, c := range a.Conds {
			conds[i] = s.cond(c)
		}
		a.Conds = conds
		return a
	case Struct:
		a.Fields = s.fields(a.Fields)
		return a
	case Named:
		a.Fields = s.fields(a.Fields)
		return a
	case Address:
		a.Local.Off = s.int(a.Local.Off)
		return a
	}
	return a
}

func (s *substitution) fields(fs []Field) []Field {
	out := make([]Field, len(fs))
	for i, f := range fs {
		out[i] = Field{f.Name, s.arg(f.Value)}
	}
	return out
}

func (s *substitution) float(f kernel.Float) kernel.Float {
	n := *f.Node()
	switch n.Op {
	case kernel.FloatConst, kernel.FloatVar:
		return f
	}
	n.Int = s.int(n.Int)
	n.A, n.B, n.C, n.D = s.float(n.A), s.float(n.B), s.float(n.C), s.float(n.D)
	return n.Float()
}
