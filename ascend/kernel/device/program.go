package device

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// Int is a run-time integer.
type Int = scalar.Int

// Program is one lowered kernel, or that of one half of a split core: then Peer is that of the
// other, and the cube's holds the vector's.
type Program struct {
	Name    string
	Doc     string
	Chip    *soc.Chip
	Core    soc.Core
	Peer    *Program
	Params  []*scalar.Var
	Globals []*kernel.Global
	Buffers []*Buffer
	Turns   []*Turn
	Events  []*Event
	Body    *Block
}

// Buffer is storage in a memory of the core: Depth slots of Bytes each from address Addr.
type Buffer struct {
	Name  string
	Elem  soc.Elem
	Space soc.Space
	Addr  int
	Bytes int
	Depth int
}

// Elems is the elements of one slot.
func (b *Buffer) Elems() int { return b.Bytes * 8 / b.Elem.Bits() }

// Turn counts which slot of its rings comes next.
type Turn struct {
	Name  string
	Depth int
}

// Slot is the slot that buffers of one depth use until the block ends; Index is nil for depth 1.
// Names are those of the slot's tensors, one for each buffer.
type Slot struct {
	Index *scalar.Var
	Bufs  []*Buffer
	Names []string
}

// name is what the tensor of b in the slot is called.
func (s *Slot) name(b *Buffer) string {
	for i, x := range s.Bufs {
		if x == b {
			return s.Names[i]
		}
	}
	panic("BUG: slot of another buffer than " + b.Name)
}

// At is the slot's index.
func (s *Slot) At() Int {
	if s == nil || s.Index == nil {
		return Int{}
	}
	return s.Index.Int()
}

// Event is one or more flags, consecutive ids, that From sets and To waits for.
type Event struct {
	Name  string
	From  Pipe
	To    Pipe
	Base  int
	Count int
}

// Block is a list of nodes.
type Block struct{ Nodes []Node }

// Node is a node of the tree.
type Node interface{ node() }

// Loop runs Body for Var from Lo below Hi. With Units, [Lo, Hi) is shared out over the cores.
type Loop struct {
	Var    *scalar.Var
	Lo, Hi Int
	Step   int
	Units  bool
	Body   *Block
}

// Stream is a loop with loads one iteration ahead; lowering expands it after flags are derived.
type Stream struct {
	Var       *scalar.Var
	Lo, Hi    Int
	Step      int
	Load, Use *Block
}

// If runs Then or Else (which may be nil). Guard marks those that keep a zero count from a call.
// Of is the loop that the condition asks an iteration of: the next one, or before the loop the
// first.
type If struct {
	Cond  scalar.Cond
	Guard bool
	Of    *scalar.Var
	Then  *Block
	Else  *Block
}

// Phase is a block whose buffers are free after it: it ends with a barrier of all pipes, unless
// nothing follows it that touches memory.
type Phase struct {
	Name string
	Body *Block
}

// Take makes Slot the next one of Turn, and advances Turn. Again says that the load of a stream
// took it before.
type Take struct {
	Slot  *Slot
	Turn  *Turn
	Again bool
}

// Let names an integer.
type Let struct{ Var *scalar.Var }

// LetFloat names a float.
type LetFloat struct {
	Name string
	Def  kernel.Float
}

// Note is a comment.
type Note struct{ Text string }

// Flag sets or waits for flag Base+Index of Event.
type Flag struct {
	Set   bool
	Event *Event
	Index Int
}

// Barrier waits until what Pipe (or every pipe) was given before is done.
type Barrier struct{ Pipe Pipe }

// Call is a call of the API.
type Call struct {
	API    string // name in the table of calls
	Pipe   Pipe
	Args   []Arg
	Types  []string // template arguments that must be written
	Access []Access
	Int    *scalar.Var // receives an integer result
	Float  string      // receives a float result
}

// Known is the API of a call that is none: Int is its argument, computed where others read it.
const Known = "known"

// Access is bytes that a call reads or writes: Count rows of Len bytes, Pitch apart, from Off in
// the slot or tensor. Count is nil for one row.
type Access struct {
	Buf    *Buffer
	Slot   *Slot
	Global *kernel.Global
	Off    Int
	Len    Int
	Count  *Int
	Pitch  int
	Write  bool
}

func (*Loop) node()     {}
func (*Stream) node()   {}
func (*If) node()       {}
func (*Phase) node()    {}
func (*Take) node()     {}
func (*Let) node()      {}
func (*LetFloat) node() {}
func (*Note) node()     {}
func (*Flag) node()     {}
func (*Barrier) node()  {}
func (*Call) node()     {}

// Blocks returns the blocks inside n in order.
func Blocks(n Node) []*Block {
	switch n := n.(type) {
	case *Loop:
		return []*Block{n.Body}
	case *Stream:
		return []*Block{n.Load, n.Use}
	case *If:
		if n.Else != nil {
			return []*Block{n.Then, n.Else}
		}
		return []*Block{n.Then}
	case *Phase:
		return []*Block{n.Body}
	}
	return nil
}

// Walk calls f for every node below b, outer ones first, with the block and index it has.
func Walk(b *Block, f func(*Block, int, Node)) {
	for i, n := range b.Nodes {
		f(b, i, n)
		for _, inner := range Blocks(n) {
			Walk(inner, f)
		}
	}
}

// End is the offset after the last byte of a.
func (a *Access) End() Int {
	if a.Count == nil {
		return a.Off.Add(a.Len)
	}
	return a.Off.Add(a.Count.SubN(1).MulN(a.Pitch)).Add(a.Len)
}
