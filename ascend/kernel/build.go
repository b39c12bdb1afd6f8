package kernel

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"moge/ascend/kernel/scalar"
)

// Kernel is a finished kernel at the author level.
type Kernel struct {
	Name    string
	Doc     string // what it computes, one line
	Params  []*scalar.Var
	Globals []*Global
	Buffers []*Buffer
	Body    *Body
	Names   []string // every name in use, derived ones included
}

// Builder collects the statements of one kernel. Mistakes are collected too, each with the
// author's line; Build returns the first ones. Methods never fail by themselves.
type Builder struct {
	kernel  Kernel
	body    *Body // statements go here
	scope   *Body // storage lives as long as this block
	looping int   // loops around, since the scope began
	names   map[string]bool
	taken   [][]*Buffer // by the blocks around, outermost first
	errs    Errors
}

// New starts a kernel. The name becomes that of the C++ function; doc is one line of what it
// computes, with shapes.
func New(name, doc string) *Builder {
	b := &Builder{names: map[string]bool{}, taken: make([][]*Buffer, 1)}
	b.kernel = Kernel{Name: name, Doc: doc, Body: &Body{}}
	b.body, b.scope = b.kernel.Body, b.kernel.Body
	b.claim(name)
	return b
}

// Build returns the kernel, or every mistake made while writing it.
func (b *Builder) Build() (*Kernel, error) {
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	k := b.kernel
	return &k, nil
}

// Error is a mistake in a kernel program.
type Error struct {
	Position string // file:line of the program
	What     string
}

// Error is the position and the mistake on one line.
func (e Error) Error() string { return e.Position + ": " + e.What }

// Errors are the mistakes of one kernel program in order.
type Errors []Error

// Error is the first mistake and how many follow.
func (es Errors) Error() string {
	if len(es) == 1 {
		return es[0].Error()
	}
	return fmt.Sprintf("%v (and %d more errors)", es[0], len(es)-1)
}

func (b *Builder) errorf(format string, args ...any) {
	b.errs = append(b.errs, Error{caller(), fmt.Sprintf(format, args...)})
}

// caller is the first frame outside this package.
func caller() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, "moge/ascend/kernel.") &&
			!strings.HasSuffix(f.File, "_test.go")
		if !inside || !more {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
	}
}

// claim makes name that of one thing only; a name in use gets a number.
func (b *Builder) claim(name string) string {
	if !isName(name) {
		b.errorf("%q is not a name of letters and digits", name)
		return name
	}
	if reservedWords[name] {
		b.errorf("the name %s means something in the printed kernel", name)
	}
	unique := name
	for i := 2; !b.free(unique); i++ {
		unique = fmt.Sprintf("%s%d", name, i)
	}
	for _, s := range derived {
		b.names[unique+s] = true
		b.kernel.Names = append(b.kernel.Names, unique+s)
	}
	return unique
}

// derived are the endings that printing adds to names.
var derived = []string{"", "Gm", "Ring", "Share", "Rest", "Core", "First", "End"}

func (b *Builder) free(name string) bool {
	for _, s := range derived {
		if b.names[name+s] {
			return false
		}
	}
	return true
}

func isName(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (b *Builder) add(s Stmt) { b.body.Stmts = append(b.body.Stmts, s) }

// within runs f with its statements going to a new block.
func (b *Builder) within(f func()) *Body {
	outer := b.body
	inner := &Body{}
	b.body = inner
	b.taken = append(b.taken, nil)
	f()
	b.taken = b.taken[:len(b.taken)-1]
	b.body = outer
	return inner
}

// Param declares a run-time integer argument with the values it may have.
func (b *Builder) Param(name string, lo, hi int) Int {
	if lo > hi {
		b.errorf("parameter %s has the empty range %d..%d", name, lo, hi)
	}
	v := scalar.NewParam(b.claim(name), lo, hi)
	b.kernel.Params = append(b.kernel.Params, v)
	return v.Int()
}

// Input, Output, InOut and Scratch declare tensors in device memory.
func (b *Builder) Input(name string, e Elem, s Shape) *Global { return b.global(name, e, s, In) }

// Output is a tensor that the kernel writes.
func (b *Builder) Output(name string, e Elem, s Shape) *Global { return b.global(name, e, s, Out) }

// InOut is a tensor that the kernel reads and writes.
func (b *Builder) InOut(name string, e Elem, s Shape) *Global { return b.global(name, e, s, InOut) }

// Scratch is a tensor that the kernel writes and reads back; its contents start undefined.
func (b *Builder) Scratch(name string, e Elem, s Shape) *Global {
	return b.global(name, e, s, Scratch)
}

func (b *Builder) global(name string, e Elem, s Shape, r Role) *Global {
	g := &Global{Name: b.claim(name), Elem: e, Role: r, Shape: s}
	b.kernel.Globals = append(b.kernel.Globals, g)
	return g
}

// Tile allocates storage. In the body of a loop its contents last for one iteration; elsewhere as
// long as the phase.
func (b *Builder) Tile(name string, t TileType) Tile {
	buf := b.buffer(name, 1, t)
	if b.looping == 0 {
		return whole(buf, nil)
	}
	return b.take(buf)
}

// Ring allocates depth tiles of a type that take turns.
func (b *Builder) Ring(name string, depth int, t TileType) *Ring {
	if depth < 1 {
		b.errorf("ring %s has %d slots", name, depth)
		depth = 1
	}
	return &Ring{b, b.buffer(name, depth, t)}
}

// Ring is a number of tiles of one type that take turns, so that a tile can be filled while the
// one before it is still in use.
type Ring struct {
	b   *Builder
	buf *Buffer
}

// Next takes the next slot. Its contents last until the end of the block that takes it.
func (r *Ring) Next() Tile { return r.b.take(r.buf) }

func (b *Builder) buffer(name string, depth int, t TileType) *Buffer {
	if t.Rows < 1 || t.Cols < 1 {
		b.errorf("tile %s has the shape [%d, %d]", name, t.Rows, t.Cols)
		t.Rows, t.Cols = 1, 1
	}
	buf := &Buffer{Name: b.claim(name), Type: t, Depth: depth, Scope: b.scope}
	b.kernel.Buffers = append(b.kernel.Buffers, buf)
	return buf
}

func (b *Builder) take(buf *Buffer) Tile {
	b.checkTurns(buf)
	s := &Slot{buf}
	b.add(s)
	return whole(buf, s)
}

// checkTurns refuses to take a slot of a ring that may still be in use: a block may take as many as
// the ring has, the blocks inside it none.
func (b *Builder) checkTurns(buf *Buffer) {
	last := len(b.taken) - 1
	for i, bufs := range b.taken {
		n := 0
		for _, x := range bufs {
			if x == buf {
				n++
			}
		}
		if n > 0 && i < last {
			b.errorf("ring %s is taken again inside the block that holds a slot of it", buf.Name)
			return
		}
		if n >= buf.Depth {
			b.errorf("ring %s of %d is taken %d times in one block", buf.Name, buf.Depth, n+1)
			return
		}
	}
	b.taken[last] = append(b.taken[last], buf)
}

func whole(buf *Buffer, s *Slot) Tile {
	return Tile{Buf: buf, Slot: s, Rows: N(buf.Type.Rows), Cols: N(buf.Type.Cols)}
}

// For runs body for i = lo, lo+step, ... below hi; hi may be at most lo.
func (b *Builder) For(name string, lo, hi Int, step int, body func(i Int)) {
	b.loop(name, lo, hi, step, false, body)
}

// Units runs body for every unit of work below total, shared out over the cores in contiguous
// parts that differ by at most one unit.
func (b *Builder) Units(name string, total Int, body func(u Int)) {
	b.loop(name, N(0), total, 1, true, body)
}

func (b *Builder) loop(name string, lo, hi Int, step int, units bool, body func(Int)) {
	if step < 1 {
		b.errorf("loop %s has the step %d", name, step)
		step = 1
	}
	v := scalar.NewLoop(b.claim(name), lo, hi, step)
	b.looping++
	inner := b.within(func() { body(v.Int()) })
	b.looping--
	b.add(&For{Var: v, Lo: lo, Hi: hi, Step: step, Units: units, Body: inner})
}

// Stream is a loop whose load runs one iteration ahead of its use, for loads whose use waits on
// scalars or on another loop. Slots that load takes are those that use sees.
func (b *Builder) Stream(name string, lo, hi Int, step int, load, use func(i Int)) {
	if step < 1 {
		b.errorf("loop %s has the step %d", name, step)
		step = 1
	}
	v := scalar.NewLoop(b.claim(name), lo, hi, step)
	b.looping++
	var ahead []*Buffer
	loads := b.within(func() {
		load(v.Int())
		ahead = b.taken[len(b.taken)-1]
	})
	b.taken = append(b.taken, ahead)
	uses := b.within(func() { use(v.Int()) })
	b.taken = b.taken[:len(b.taken)-1]
	b.checkAhead(ahead)
	b.looping--
	b.add(&Stream{Var: v, Lo: lo, Hi: hi, Step: step, Load: loads, Use: uses})
}

// checkAhead checks that the rings of a load have slots for two iterations.
func (b *Builder) checkAhead(bufs []*Buffer) {
	for _, x := range bufs {
		n := 0
		for _, y := range bufs {
			if x == y {
				n++
			}
		}
		if x.Depth > 1 && 2*n > x.Depth {
			b.errorf("ring %s of %d is taken %d times by the load of a stream, "+
				"which runs one iteration ahead", x.Name, x.Depth, n)
			return
		}
	}
}

// If runs then where cond holds, otherwise otherwise, which may be nil.
func (b *Builder) If(cond scalar.Cond, then, otherwise func()) {
	s := &If{Cond: cond, Then: b.within(then)}
	if otherwise != nil {
		s.Else = b.within(otherwise)
	}
	b.add(s)
}

// Phase runs body with storage of its own: what body allocates is free for the next phase.
func (b *Builder) Phase(name string, body func()) {
	if b.looping > 0 {
		b.errorf("phase %s is inside a loop", name)
	}
	scope, looping := b.scope, b.looping
	inner := b.within(func() {
		b.scope, b.looping = b.body, 0
		body()
	})
	b.scope, b.looping = scope, looping
	b.add(&Phase{name, inner})
}

// Let names x, so that it is computed once and readable.
func (b *Builder) Let(name string, x Int) Int {
	v := scalar.NewNamed(b.claim(name), x)
	b.add(&Let{v})
	return v.Int()
}

// LetFloat names f.
func (b *Builder) LetFloat(name string, f Float) Float {
	name = b.claim(name)
	b.add(&LetFloat{name, f})
	return NamedFloat(name)
}

// Note leaves a comment in the printed kernel: one per section, with shape and unit.
func (b *Builder) Note(text string) {
	if strings.Contains(text, "\n") {
		b.errorf("a note has more than one line")
		return
	}
	b.add(&Note{text})
}

// SyncAll waits for every core.
func (b *Builder) SyncAll() { b.add(&SyncAll{}) }
