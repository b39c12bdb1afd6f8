package device

import (
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// locals lists the local tensors among the arguments of n.
func locals(n *Call) []Local {
	var out []Local
	for _, a := range n.Args {
		if t, ok := a.(Local); ok {
			out = append(out, t)
		}
	}
	return out
}

// spaceOf is the memory of an argument that is a tensor.
func spaceOf(a Arg) (soc.Space, bool) {
	switch a := a.(type) {
	case Local:
		return a.Buf.Space, true
	case Global:
		return soc.GM, true
	}
	return 0, false
}

// elemOf is the type of an argument that is a tensor.
func elemOf(a Arg) soc.Elem {
	switch a := a.(type) {
	case Local:
		return a.Elem
	case Global:
		return a.Global.Elem
	}
	return 0
}

// hasStruct reports whether n has an argument of a parameter struct.
func (n *Call) hasStruct(name string) bool {
	for _, a := range n.Args {
		if s, ok := a.(Struct); ok && s.Type == name {
			return true
		}
	}
	return false
}

// key is the row of n in the chip's table of calls.
func (n *Call) key() string {
	switch n.API {
	case "DataCopy":
		return n.copyKey()
	case "LoadData":
		return "LoadData:2d"
	case "SyncAll":
		if len(n.Args) == 0 {
			return "SyncAll:hardware"
		}
		return "SyncAll:workspace"
	case "Fixpipe":
		return "Fixpipe:l0c-gm"
	case "DataCacheCleanAndInvalid":
		return "DataCacheCleanAndInvalid:line, destination"
	case "GetValue", "SetValue":
		if _, global := n.Args[0].(Global); global {
			return n.API + ":GlobalTensor"
		}
		return n.API + ":LocalTensor"
	}
	return n.API
}

func (n *Call) copyKey() string {
	to, _ := spaceOf(n.Args[0])
	from, _ := spaceOf(n.Args[1])
	path := from.String() + "-" + to.String()
	switch {
	case from == soc.L0C:
		return "DataCopy:l0c-ub"
	case to == soc.GM:
		path = "gm-ub"
	}
	if n.hasStruct("DataCopyParams") {
		path += " strided"
	}
	if n.hasStruct("Nd2NzParams") {
		path += " nd2nz"
	}
	return "DataCopy:" + path
}

func checkAPI(v *verifier, n *Call) {
	if n.API == Known {
		return
	}
	key := n.key()
	if len(soc.FindAPIs(key)) == 0 {
		v.breach(NodeText(n), "no call %s is in the tables", key)
		return
	}
	e := soc.Elem(0)
	if len(n.Args) > 0 && len(v.prog.Chip.Types(key)) > 0 {
		e = elemOf(n.Args[0])
	}
	switch n.API {
	case "Compare", "CompareScalar": // the table lists what is compared
		e = elemOf(n.Args[1])
	case "LoadData":
		e = elemOf(n.Args[1])
	}
	if err := v.prog.Chip.Check(key, e); err != nil {
		v.breach(NodeText(n), "%v", err)
	}
	v.checkPipe(n)
}

// checkPipe checks that a copy runs on the pipe of its path.
func (v *verifier) checkPipe(n *Call) {
	if n.API != "DataCopy" && n.API != "LoadData" {
		return
	}
	to, _ := spaceOf(n.Args[0])
	from, _ := spaceOf(n.Args[1])
	path, ok := v.prog.Chip.Path(from, to)
	if !ok {
		v.breach(NodeText(n), "%s has no way from %s to %s", v.prog.Chip.Name(), from, to)
	} else if path.Pipe != n.Pipe {
		v.breach(NodeText(n), "a copy from %s to %s runs on %s (%s)", from, to, path.Pipe, path.Source)
	}
}

func checkCast(v *verifier, n *Call) {
	if n.API != "Cast" {
		return
	}
	mode := soc.CastNone
	found := false
	for _, a := range n.Args {
		if e, ok := a.(Enum); ok {
			for ; mode <= soc.CastOdd; mode++ {
				if "RoundMode::"+mode.String() == string(e) {
					found = true
					break
				}
			}
		}
	}
	if !found {
		v.breach(NodeText(n), "the rounding mode is not known")
		return
	}
	if err := v.prog.Chip.CheckCast(elemOf(n.Args[1]), elemOf(n.Args[0]), mode); err != nil {
		v.breach(NodeText(n), "%v", err)
	}
}

func checkTypes(v *verifier, n *Call) {
	switch n.API {
	case "Cast", "SetDeqScale", "SetAtomicAdd", "SetAtomicNone", "GetValue", "SetValue", "SyncAll",
		"GetBlockIdx", "CrossCoreSetFlag", "CrossCoreWaitFlag", "DataCacheCleanAndInvalid", Known:
		return
	case "Mmad":
		acc, a, b := elemOf(n.Args[0]), elemOf(n.Args[1]), elemOf(n.Args[2])
		if _, ok := v.prog.Chip.Mmad(a, b, acc); !ok {
			v.breach(NodeText(n), "%s multiplies no %s by %s into %s", v.prog.Chip.Name(), a, b, acc)
		}
	case "Compare", "CompareScalar":
		v.wantElem(n, 0, soc.Uint8)
		v.sameElems(n, 1)
	case "Select":
		v.wantElem(n, 1, soc.Uint8)
		v.sameElems(n, 0)
	case "Gather":
		v.wantElem(n, 2, soc.Uint32)
	case "DataCopy":
		if from, _ := spaceOf(n.Args[1]); from == soc.L0C {
			v.checkDrain(n)
			return
		}
		v.sameElems(n, 0)
	default:
		v.sameElems(n, 0)
	}
}

func (v *verifier) wantElem(n *Call, arg int, want soc.Elem) {
	if got := elemOf(n.Args[arg]); got != want {
		v.breach(NodeText(n), "argument %d is of %s, not %s", arg+1, got, want)
	}
}

// sameElems checks that tensors and scalars from argument first on have one type; masks are uint8.
func (v *verifier) sameElems(n *Call, first int) {
	want := elemOf(n.Args[first])
	for i, a := range n.Args[first:] {
		got := elemOf(a)
		if s, ok := a.(Scalar); ok {
			got = s.Elem
		}
		mask := n.API == "Select" && first+i == 1
		if got != 0 && got != want && !mask {
			v.breach(NodeText(n), "operands of %s and %s", want, got)
			return
		}
	}
}

func (v *verifier) checkDrain(n *Call) {
	to, from := elemOf(n.Args[0]), elemOf(n.Args[1])
	for _, a := range n.Args {
		named, ok := a.(Named)
		if !ok {
			continue
		}
		for _, f := range named.Fields {
			mode, isEnum := f.Value.(Enum)
			if f.Name == "deqScale" && isEnum && !v.drains(from, to, string(mode)) {
				v.breach(NodeText(n), "%s drains no %s to %s by %s", v.prog.Chip.Name(), from, to, mode)
			}
		}
	}
}

func (v *verifier) drains(from, to soc.Elem, mode string) bool {
	for _, d := range v.prog.Chip.Drains() {
		if d.From == from && d.To == to && "DeqScale::"+d.Mode == mode {
			return true
		}
	}
	return false
}

// checkAlignment checks the address of every local tensor, and of tensors in device memory.
func checkAlignment(v *verifier, n *Call) {
	for i, a := range n.Args {
		switch a := a.(type) {
		case Local:
			v.aligned(n, a, v.alignOf(n, i, a))
		case Named:
			for _, f := range a.Fields {
				if addr, ok := f.Value.(Address); ok {
					v.aligned(n, addr.Local, 32)
				}
			}
		}
	}
}

// alignOf is the alignment of argument i in bytes: results of reductions and single elements need
// that of their type alone.
func (v *verifier) alignOf(n *Call, i int, a Local) int {
	switch n.API {
	case "GetValue", "SetValue":
		return a.Elem.Bits() / 8
	case "ReduceSum", "ReduceMax", "ReduceMin", "WholeReduceSum":
		if i == 0 {
			return a.Elem.Bits() / 8
		}
	case "Mmad":
		if i == 0 {
			return int(v.prog.Chip.At(soc.L0CMmadAlign))
		}
	}
	return int(v.prog.Chip.Memory(a.Buf.Space).Align.Value)
}

func (v *verifier) aligned(n *Call, a Local, align int) {
	bytes := a.Off.MulN(a.Elem.Bits() / 8)
	if a.Buf.Addr%align != 0 || a.Buf.Depth > 1 && a.Buf.Bytes%align != 0 ||
		!scalar.Multiple(bytes, align) {
		v.breach(NodeText(n), "address of %s is not always a multiple of %d bytes in %s",
			localText(a), align, a.Buf.Space)
	}
}

// checkOverlap checks that sources and results of vector calls are the same bytes or apart.
func checkOverlap(v *verifier, n *Call) {
	if n.Pipe != V {
		return
	}
	for i := range n.Access {
		w := &n.Access[i]
		for j := range n.Access {
			r := &n.Access[j]
			if i == j || !w.Write || r.Write && j < i || w.Buf == nil || w.Buf != r.Buf || w.Slot != r.Slot {
				continue
			}
			if !w.Off.Same(r.Off) && !apart(w, r) {
				v.breach(NodeText(n), "%s is read and written in parts that overlap", accessName(w))
			}
		}
	}
}
