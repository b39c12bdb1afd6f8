package lower

import (
	"fmt"
	"strings"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// steps is the pipeline, in order.
var steps = []struct {
	name string
	run  func(*lowerer) error
}{
	{"lower statements", (*lowerer).statements},
	{"derive flags", (*lowerer).deriveFlags}, // needs streams whole: a load and its use are one iteration
	{"expand streams", (*lowerer).expandStreams},
	{"assign addresses", (*lowerer).assignAddresses},
	{"insert barriers", (*lowerer).insertBarriers}, // needs flags: what they separate needs no barrier
	{"verify", (*lowerer).verify},
}

// Lower makes the program of k for chip. Errors name statement or buffer, the rule, and its source.
func Lower(k *kernel.Kernel, chip *soc.Chip) (*device.Program, error) {
	if chip.Split() {
		return nil, fmt.Errorf("kernel %s: lowering for the split cores of %s is not supported", k.Name, chip.Name())
	}
	l := newLowerer(k, chip)
	for _, s := range steps {
		if err := s.run(l); err != nil {
			return nil, fmt.Errorf("kernel %s: %s: %w", k.Name, s.name, err)
		}
	}
	return l.prog, nil
}

type lowerer struct {
	kernel *kernel.Kernel
	chip   *soc.Chip
	prog   *device.Program
	block  *device.Block // calls go here
	scope  *kernel.Body  // buffers of lowering live as long as this
	facts  scalar.Facts  // what holds here
	bufs   map[*kernel.Buffer]*device.Buffer
	scopes map[*device.Buffer]*kernel.Body
	slots  map[*kernel.Slot]*device.Slot
	turns  map[*device.Buffer]*device.Turn
	head   bool // inside the load of a stream
	names  map[string]bool
	errs   errorList
	left   *device.Buffer
	right  *device.Buffer
	bodies map[*kernel.Body]*device.Block // of phases
	edges  []*edge
}

func newLowerer(k *kernel.Kernel, chip *soc.Chip) *lowerer {
	l := &lowerer{
		kernel: k, chip: chip,
		prog: &device.Program{Name: k.Name, Doc: k.Doc, Chip: chip, Params: k.Params,
			Globals: append([]*kernel.Global(nil), k.Globals...), Body: &device.Block{}},
		bufs:   map[*kernel.Buffer]*device.Buffer{},
		scopes: map[*device.Buffer]*kernel.Body{},
		slots:  map[*kernel.Slot]*device.Slot{},
		turns:  map[*device.Buffer]*device.Turn{},
		names:  map[string]bool{},
		bodies: map[*kernel.Body]*device.Block{},
	}
	l.block, l.scope = l.prog.Body, k.Body
	l.bodies[k.Body] = l.prog.Body
	l.claimNames()
	return l
}

func (l *lowerer) claimNames() {
	for _, p := range l.kernel.Params {
		l.names[p.Name] = true
	}
	for _, g := range l.kernel.Globals {
		l.names[g.Name] = true
	}
	for _, b := range l.kernel.Buffers {
		l.names[b.Name] = true
	}
}

// unique makes a name that no other thing has.
func (l *lowerer) unique(name string) string {
	out := name
	for i := 2; l.names[out]; i++ {
		out = fmt.Sprintf("%s%d", name, i)
	}
	l.names[out] = true
	return out
}

type errorList []error

func (es errorList) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}

func (l *lowerer) errorf(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

func (l *lowerer) failed() error {
	if len(l.errs) == 0 {
		return nil
	}
	return l.errs
}

// statements lowers the whole kernel.
func (l *lowerer) statements() error {
	l.body(l.kernel.Body)
	return l.failed()
}

func (l *lowerer) body(b *kernel.Body) {
	for _, s := range b.Stmts {
		l.stmt(s)
	}
}

// within lowers statements into a block of their own, knowing facts as well.
func (l *lowerer) within(f func(), facts ...scalar.Cond) *device.Block {
	block, known := l.block, l.facts
	inner := &device.Block{}
	l.block = inner
	l.facts = append(known[:len(known):len(known)], facts...)
	f()
	l.block, l.facts = block, known
	return inner
}

func (l *lowerer) emit(n device.Node) { l.block.Nodes = append(l.block.Nodes, n) }

func (l *lowerer) stmt(s kernel.Stmt) {
	switch s := s.(type) {
	case *kernel.For:
		body := l.within(func() { l.body(s.Body) }, s.Lo.Less(s.Hi))
		l.emit(&device.Loop{Var: s.Var, Lo: s.Lo, Hi: s.Hi, Step: s.Step, Units: s.Units, Body: body})
	case *kernel.Stream:
		l.stream(s)
	case *kernel.If:
		l.branch(s)
	case *kernel.Phase:
		l.phase(s)
	case *kernel.Slot:
		l.take(s)
	case *kernel.Let:
		l.emit(&device.Let{Var: s.Var})
	case *kernel.LetFloat:
		l.emit(&device.LetFloat{Name: s.Name, Def: s.Def})
	case *kernel.Note:
		l.emit(&device.Note{Text: s.Text})
	case *kernel.Load:
		l.load(s)
	case *kernel.Store:
		l.store(s)
	case *kernel.Vector:
		l.vector(s)
	case *kernel.Reduce:
		l.reduce(s)
	case *kernel.Gather:
		l.gather(s)
	case *kernel.Iota:
		l.iota(s)
	case *kernel.Transpose:
		l.transpose(s)
	case *kernel.ReadInt, *kernel.ReadFloat, *kernel.Write:
		l.scalarAccess(s)
	case *kernel.MatMul:
		l.matmul(s)
	case *kernel.Drain:
		l.drain(s)
	case *kernel.ToMat:
		l.toMat(s)
	case *kernel.SyncAll:
		l.syncAll()
	default:
		panic(fmt.Sprintf("BUG: statement %T has no lowering", s))
	}
}

func (l *lowerer) branch(s *kernel.If) {
	n := &device.If{Cond: s.Cond}
	n.Then = l.within(func() { l.body(s.Then) }, s.Cond)
	if s.Else != nil {
		n.Else = l.within(func() { l.body(s.Else) }, s.Cond.Not())
	}
	l.emit(n)
}

func (l *lowerer) phase(s *kernel.Phase) {
	scope := l.scope
	l.scope = s.Body
	n := &device.Phase{Name: s.Name}
	n.Body = l.within(func() { l.body(s.Body) })
	l.bodies[s.Body] = n.Body
	l.scope = scope
	l.emit(n)
}

// stream lowers load and use; the use takes the slots of the load again, from a counter of its own.
func (l *lowerer) stream(s *kernel.Stream) {
	n := &device.Stream{Var: s.Var, Lo: s.Lo, Hi: s.Hi, Step: s.Step}
	l.head = true
	n.Load = l.within(func() { l.body(s.Load) }, s.Lo.Less(s.Hi))
	l.head = false
	n.Use = l.within(func() {
		for _, node := range n.Load.Nodes {
			if t, ok := node.(*device.Take); ok {
				l.takeAgain(t)
			}
		}
		l.body(s.Use)
	}, s.Lo.Less(s.Hi))
	l.emit(n)
}

func (l *lowerer) takeAgain(t *device.Take) {
	again := &device.Take{Slot: t.Slot}
	if t.Turn != nil {
		again.Turn = &device.Turn{Name: l.unique(t.Slot.Bufs[0].Name + "Used"), Depth: t.Turn.Depth}
		l.prog.Turns = append(l.prog.Turns, again.Turn)
	}
	l.emit(again)
}

// take lowers the taking of a slot.
func (l *lowerer) take(s *kernel.Slot) {
	l.slots[s] = l.takeOf(l.buffer(s.Buf))
}

// takeOf takes the next slot of buffers of one depth.
func (l *lowerer) takeOf(bufs ...*device.Buffer) *device.Slot {
	b := bufs[0]
	slot := &device.Slot{Bufs: bufs}
	n := &device.Take{Slot: slot}
	if b.Depth > 1 {
		if l.turns[b] == nil {
			l.turns[b] = &device.Turn{Name: l.unique(b.Name + "Next"), Depth: b.Depth}
			l.prog.Turns = append(l.prog.Turns, l.turns[b])
		}
		n.Turn = l.turns[b]
		slot.Index = scalar.NewTurn(l.unique(b.Name+"Slot"), b.Depth)
	}
	l.emit(n)
	return slot
}

var spaces = [...]soc.Space{kernel.Vec: soc.UB, kernel.Mat: soc.L1, kernel.Acc: soc.L0C}

// buffer makes the storage of an author's buffer.
func (l *lowerer) buffer(b *kernel.Buffer) *device.Buffer {
	if d := l.bufs[b]; d != nil {
		return d
	}
	d := l.storage(b.Name, b.Type.Elem, spaces[b.Type.Memory], b.Type.Bytes(), b.Depth, b.Scope)
	l.bufs[b] = d
	return d
}

func (l *lowerer) storage(name string, e soc.Elem, space soc.Space, bytes, depth int, scope *kernel.Body) *device.Buffer {
	d := &device.Buffer{Name: name, Elem: e, Space: space, Bytes: bytes, Depth: depth}
	l.prog.Buffers = append(l.prog.Buffers, d)
	l.scopes[d] = scope
	return d
}

// temp makes storage for the statement being lowered, and takes it.
func (l *lowerer) temp(name string, e soc.Elem, space soc.Space, bytes int) device.Local {
	bytes = (bytes + kernel.Block - 1) / kernel.Block * kernel.Block
	b := l.storage(l.unique(name), e, space, bytes, 1, l.scope)
	return device.Local{Buf: b, Slot: l.takeOf(b), Elem: e}
}

// local is the tensor that a tile starts at.
func (l *lowerer) local(t kernel.Tile) device.Local {
	d := device.Local{Buf: l.buffer(t.Buf), Elem: t.Elem(), Off: t.Offset()}
	if t.Slot != nil {
		d.Slot = l.slots[t.Slot]
		if d.Slot == nil {
			l.errorf("tile %s is used outside the block that took it", t.Buf.Name)
			d.Slot = &device.Slot{Bufs: []*device.Buffer{d.Buf}}
		}
	}
	return d
}
