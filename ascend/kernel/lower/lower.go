package lower

import (
	"errors"
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
	// needs streams whole: a load and its use are one iteration
	{"derive flags", (*lowerer).deriveFlags},
	{"expand streams", (*lowerer).expandStreams},
	{"assign addresses", (*lowerer).assignAddresses},
	{"insert barriers", (*lowerer).insertBarriers}, // needs flags: what they separate needs no barrier
	{"prune", (*lowerer).prune},
	{"verify", (*lowerer).verify},
}

// Lower makes the program of k for chip. Errors name statement or buffer, the rule, and its source.
// On split cores a kernel with products becomes two programs, see split.go. Rings may get fewer
// slots than the kernel asks for where the chip has no flags for more.
func Lower(k *kernel.Kernel, chip *soc.Chip) (*device.Program, error) {
	switch {
	case !chip.Split():
		return lowerFor(k, chip, soc.CoreWhole, nil)
	case !usesMatrix(k):
		return lowerFor(k, chip, soc.CoreVector, nil)
	}
	mailed := mailOf(k, chip)
	cube, err := lowerFor(k, chip, soc.CoreCube, mailed)
	if err != nil {
		return nil, err
	}
	if cube.Peer, err = lowerFor(k, chip, soc.CoreVector, mailed); err != nil {
		return cube, err
	}
	if err := device.VerifyHalves(cube); err != nil {
		return cube, fmt.Errorf("kernel %s: verify: %w", k.Name, err)
	}
	return cube, nil
}

// lowerFor makes the program of one kind of core; that of one half of a core if mailed is not nil.
func lowerFor(k *kernel.Kernel, chip *soc.Chip, core soc.Core, mailed map[*scalar.Var]bool) (
	*device.Program, error) {
	for most := deepest(k); ; most-- {
		l := newLowerer(k, chip)
		l.core, l.prog.Core, l.mostSlots = core, core, most
		l.mixed, l.mailed = mailed != nil, mailed
		err := l.run()
		var flags *flagsError
		if err == nil || most <= 2 || !errors.As(err, &flags) {
			return l.prog, err
		}
	}
}

// run runs the steps.
func (l *lowerer) run() error {
	for _, s := range steps {
		if err := s.run(l); err != nil {
			return fmt.Errorf("kernel %s: %s: %w", l.kernel.Name, s.name, err)
		}
	}
	return nil
}

type lowerer struct {
	kernel    *kernel.Kernel
	chip      *soc.Chip
	core      soc.Core
	mixed     bool // the program of one half of a core
	prog      *device.Program
	block     *device.Block // calls go here
	scope     *kernel.Body  // buffers of lowering live as long as this
	facts     scalar.Facts  // what holds here
	bufs      map[*kernel.Buffer]*device.Buffer
	scopes    map[*device.Buffer]*kernel.Body
	held      []*kernel.Slot // slots of the blocks around
	slots     map[*kernel.Slot]*device.Slot
	turns     map[*device.Buffer]*device.Turn
	names     map[string]bool
	taken     map[*device.Buffer]bool
	errs      errorList
	trades    []*trade // tiles that pass between the halves of a core
	mail      *trade   // integers that do
	mailed    map[*scalar.Var]bool
	mostSlots int         // of a ring, unless its statements need more
	coreNo    *scalar.Var // which core this is, where that matters
	temps     map[tempKey]*device.Buffer
	left      *device.Buffer
	right     *device.Buffer
	bodies    map[*kernel.Body]*device.Block // of phases
	edges     []*edge
	telling   int // of the paths, the one that was last out of order
	takenIn   map[*device.Slot]*device.Block
	within    map[*device.Event]*device.Block // the phase that an event is of, or the whole
}

func newLowerer(k *kernel.Kernel, chip *soc.Chip) *lowerer {
	l := &lowerer{
		kernel: k, chip: chip,
		prog: &device.Program{Name: k.Name, Doc: k.Doc, Chip: chip, Params: k.Params,
			Globals: append([]*kernel.Global(nil), k.Globals...), Body: &device.Block{}},
		temps:   map[tempKey]*device.Buffer{},
		bufs:    map[*kernel.Buffer]*device.Buffer{},
		scopes:  map[*device.Buffer]*kernel.Body{},
		slots:   map[*kernel.Slot]*device.Slot{},
		turns:   map[*device.Buffer]*device.Turn{},
		names:   map[string]bool{},
		taken:   map[*device.Buffer]bool{},
		within:  map[*device.Event]*device.Block{},
		takenIn: map[*device.Slot]*device.Block{},
		bodies:  map[*kernel.Body]*device.Block{},
	}
	l.block, l.scope = l.prog.Body, k.Body
	l.bodies[k.Body] = l.prog.Body
	l.claimNames()
	return l
}

func (l *lowerer) claimNames() {
	for _, name := range l.kernel.Names {
		l.names[name] = true
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
	err := fmt.Errorf(format, args...)
	for _, e := range l.errs {
		if e.Error() == err.Error() {
			return
		}
	}
	l.errs = append(l.errs, err)
}

func (l *lowerer) failed() error {
	if len(l.errs) == 0 {
		return nil
	}
	return l.errs
}

// statements lowers the whole kernel.
func (l *lowerer) statements() error {
	if l.mixed {
		l.exchangeAll()
	} else {
		l.body(l.kernel.Body)
	}
	l.dropNames()
	return l.failed()
}

func (l *lowerer) body(b *kernel.Body) {
	for i, s := range b.Stmts {
		if !l.mixed || !l.known(b, i) {
			l.stmt(s)
		}
	}
}

// within lowers statements into a block of their own, knowing facts as well.
func (l *lowerer) inside(f func(), facts ...scalar.Cond) *device.Block {
	block, known, held := l.block, l.facts, len(l.held)
	inner := &device.Block{}
	l.block = inner
	l.facts = append(known[:len(known):len(known)], facts...)
	f()
	l.block, l.facts = block, known
	for _, s := range l.held[held:] {
		delete(l.slots, s)
	}
	l.held = l.held[:held]
	return inner
}

func (l *lowerer) emit(n device.Node) { l.block.Nodes = append(l.block.Nodes, n) }

func (l *lowerer) stmt(s kernel.Stmt) {
	if l.mixed && !l.concerns(s) {
		return
	}
	switch s := s.(type) {
	case *kernel.For:
		body := l.inside(func() { l.body(s.Body) }, s.Lo.Less(s.Hi))
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
	case *kernel.ReadInt, *kernel.ReadIndex, *kernel.ReadFloat, *kernel.Write:
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
	if s.Cond.Decided() {
		l.decided(s)
		return
	}
	n := &device.If{Cond: s.Cond}
	n.Then = l.inside(func() { l.body(s.Then) }, s.Cond)
	if s.Else != nil {
		n.Else = l.inside(func() { l.body(s.Else) }, s.Cond.Not())
	}
	l.emit(n)
}

// decided lowers the branch that runs under a condition on constants.
func (l *lowerer) decided(s *kernel.If) {
	if s.Cond.Always() {
		l.body(s.Then)
	} else if s.Else != nil {
		l.body(s.Else)
	}
}

func (l *lowerer) phase(s *kernel.Phase) {
	scope := l.scope
	l.scope = s.Body
	n := &device.Phase{Name: s.Name}
	n.Body = l.inside(func() { l.body(s.Body) })
	l.bodies[s.Body] = n.Body
	l.scope = scope
	l.emit(n)
}

// stream lowers load and use; the use takes the slots of the load again, from a counter of its own.
func (l *lowerer) stream(s *kernel.Stream) {
	n := &device.Stream{Var: s.Var, Lo: s.Lo, Hi: s.Hi, Step: s.Step}
	var ahead []*kernel.Slot
	var slots []*device.Slot
	n.Load = l.inside(func() {
		held := len(l.held)
		l.body(s.Load)
		for _, a := range l.held[held:] {
			ahead, slots = append(ahead, a), append(slots, l.slots[a])
		}
	}, s.Lo.Less(s.Hi))
	n.Use = l.inside(func() {
		for i, a := range ahead {
			l.hold(a, slots[i])
		}
		for _, node := range n.Load.Nodes {
			if t, ok := node.(*device.Take); ok && len(t.Slot.Bufs) > 0 {
				l.takeAgain(t)
			}
		}
		l.body(s.Use)
	}, s.Lo.Less(s.Hi))
	l.emit(n)
}

func (l *lowerer) takeAgain(t *device.Take) {
	again := &device.Take{Slot: t.Slot, Again: true}
	if t.Turn != nil {
		again.Turn = &device.Turn{Name: l.unique(t.Slot.Bufs[0].Name + "Used"), Depth: t.Turn.Depth}
		l.prog.Turns = append(l.prog.Turns, again.Turn)
	}
	l.emit(again)
}
