package lower

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// Int is a run-time integer.
type Int = scalar.Int

func c(n int) Int { return scalar.C(n) }

func size(e soc.Elem) int { return e.Bits() / 8 }

func num(x Int) device.Arg { return device.Number{X: x} }

func lit(n int) device.Arg { return device.Number{X: c(n)} }

// mask is the argument that counts active elements; its type keeps the overload unambiguous.
func mask(x Int) device.Arg { return device.Number{X: x, Type: "uint64_t"} }

func field(name string, x Int) device.Field { return device.Field{Name: name, Value: num(x)} }

// reads and writes are len bytes from byte off of a local tensor.
func reads(t device.Local, off, length Int) device.Access {
	return device.Access{Buf: t.Buf, Slot: t.Slot, Off: t.Off.MulN(size(t.Elem)).Add(off), Len: length}
}

func writes(t device.Local, off, length Int) device.Access {
	a := reads(t, off, length)
	a.Write = true
	return a
}

// rowsOf spreads an access over count rows, pitch bytes apart.
func rowsOf(a device.Access, count Int, pitch int) device.Access {
	if count.Is(1) {
		return a
	}
	if a.Len.Is(pitch) {
		a.Len = count.MulN(pitch)
		return a
	}
	a.Count, a.Pitch = &count, pitch
	return a
}

func globalAccess(r kernel.Region, off, length Int, write bool) device.Access {
	s := size(r.Global.Elem)
	return device.Access{Global: r.Global, Off: r.Offset().MulN(s).Add(off), Len: length, Write: write}
}

func shifted(t device.Local, elems Int) device.Local {
	t.Off = t.Off.Add(elems)
	return t
}

// guarded emits what f emits, under a condition where one of the counts might be zero.
func (l *lowerer) guarded(f func(), counts ...Int) {
	var doubtful []scalar.Cond
	for _, n := range counts {
		if !l.facts.Proves(c(1), n) {
			doubtful = append(doubtful, c(0).Less(n))
		}
	}
	if len(doubtful) == 0 {
		f()
		return
	}
	inner := l.inside(func() { l.guarded(f, counts...) }, doubtful[0])
	l.emit(&device.If{Cond: doubtful[0], Guard: true, Then: inner})
}

// rowLoop emits f for each row.
func (l *lowerer) rowLoop(name string, rows Int, f func(row Int)) {
	if rows.Is(1) {
		f(c(0))
		return
	}
	l.loop(name, rows, 1, f)
}

func (l *lowerer) loop(name string, hi Int, step int, f func(i Int)) {
	v := scalar.NewLoop(l.unique(name), c(0), hi, step)
	body := l.inside(func() { f(v.Int()) }, c(0).Less(hi))
	l.emit(&device.Loop{Var: v, Hi: hi, Step: step, Body: body})
}

func (l *lowerer) call(api string, p device.Pipe, args []device.Arg,
	access ...device.Access) *device.Call {
	n := &device.Call{API: api, Pipe: p, Args: args, Access: access}
	l.emit(n)
	return n
}
