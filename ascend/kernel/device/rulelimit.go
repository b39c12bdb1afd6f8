package device

import (
	"moge/ascend/kernel"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// parameter is an integer argument with the row of its limits.
type parameter struct {
	api, name string
	x         Int
}

// vectorStructs maps parameter structs of vector calls to the API of their limits.
var vectorStructs = map[string]string{"UnaryRepeatParams": "VectorUnary",
	"BinaryRepeatParams": "VectorBinary"}

// parameters lists the integer arguments of n for which there are limits.
func parameters(n *Call) []parameter {
	var out []parameter
	var plain []Int
	for _, a := range n.Args {
		switch a := a.(type) {
		case Number:
			plain = append(plain, a.X)
		case Struct:
			out = append(out, structParameters(n, a)...)
		}
	}
	return append(out, plainParameters(n, plain)...)
}

func structParameters(n *Call, s Struct) []parameter {
	var out []parameter
	for _, f := range s.Fields {
		x, ok := f.Value.(Number)
		if !ok {
			continue
		}
		p := parameter{n.API, f.Name, x.X}
		if api := vectorStructs[s.Type]; api != "" {
			p.api, p.name = api, strideName(f.Name)
		}
		switch s.Type {
		case "LoadData2DParams":
			p.api = "LoadData:2d"
		case "Nd2NzParams":
			p.api = "DataCopy:gm-l1 nd2nz"
		}
		out = append(out, p)
	}
	return out
}

// strideName is the row of a stride: block or repeat, whichever operand.
func strideName(field string) string {
	if len(field) > len("BlkStride") && field[len(field)-len("BlkStride"):] == "BlkStride" {
		return "blkStride"
	}
	return "repStride"
}

// plainParameters gives names to the arguments without a struct: a count, or mask and repeats.
func plainParameters(n *Call, xs []Int) []parameter {
	switch n.API {
	case "GetValue", "SetValue", "SyncAll", "Mmad", "LoadData", "Fixpipe", "GetBlockIdx", Known:
		return nil
	case "CrossCoreSetFlag", "CrossCoreWaitFlag":
		return []parameter{{"CrossCoreSetFlag", "flagId", xs[0]}}
	case "DataCopy":
		if len(xs) == 1 {
			return []parameter{{"DataCopy", "bytes", xs[0].MulN(elemOf(n.Args[0]).Bits() / 8)}}
		}
		return nil
	case "WholeReduceSum":
		return []parameter{{"Vector", "count", xs[0]}, {n.API, "repeat", xs[1]},
			{n.API, "dstRepStride", xs[2]}, {n.API, "srcRepStride", xs[4]}}
	case "Gather":
		return []parameter{{"Vector", "count", xs[1]}}
	case "Compare", "CompareScalar":
		return []parameter{{n.API, "bytes", xs[0].MulN(elemOf(n.Args[1]).Bits() / 8)}}
	}
	return vectorParameters(xs)
}

// vectorParameters are those of calls with a count, or with mask, repeats and (Duplicate) strides.
func vectorParameters(xs []Int) []parameter {
	switch len(xs) {
	case 0:
		return nil
	case 1:
		return []parameter{{"Vector", "count", xs[0]}}
	case 4:
		return []parameter{{"Vector", "count", xs[0]}, {"Vector", "repeat", xs[1]},
			{"Duplicate", "dstBlockStride", xs[2]}, {"VectorUnary", "repStride", xs[3]}}
	}
	return []parameter{{"Vector", "count", xs[0]}, {"Vector", "repeat", xs[1]}}
}

// checkLimits checks that parameters never exceed their fields; zero counts are a rule of their
// own.
func checkLimits(v *verifier, n *Call) {
	for _, p := range parameters(n) {
		l, ok := v.prog.Chip.Limit(p.api, p.name)
		if !ok {
			continue
		}
		if !v.facts.Proves(p.x, scalar.C(int(l.Max))) {
			_, hi := scalar.Bounds(p.x)
			v.breach(NodeText(n), "%s of %s can be %d, at most %d fits (%s)", p.name, p.api, hi,
				l.Max, l.Source)
		}
		if !v.facts.Proves(scalar.C(int(l.Min)), p.x) {
			lo, _ := scalar.Bounds(p.x)
			v.breach(NodeText(n), "%s of %s can be %d, at least %d is allowed (%s)", p.name, p.api,
				lo, l.Min, l.Source)
		}
		if l.Multiple > 1 && !scalar.Multiple(p.x, int(l.Multiple)) {
			v.breach(NodeText(n), "%s of %s is not always a multiple of %d (%s)", p.name, p.api,
				l.Multiple, l.Source)
		}
	}
	v.checkMask(n)
}

// checkMask checks that the mask of a repeat covers no more elements than a repeat has.
func (v *verifier) checkMask(n *Call) {
	for _, a := range n.Args {
		m, ok := a.(Number)
		if !ok || m.Type != "uint64_t" {
			continue
		}
		width := 0
		for _, t := range locals(n) {
			width = max(width, t.Elem.Bits()/8)
		}
		most := int(v.prog.Chip.At(soc.RepeatBytes)) / width
		if !v.facts.Proves(m.X, scalar.C(most)) {
			v.breach(NodeText(n), "mask of %v elements, a repeat has %d", m.X, most)
		}
	}
}

// checkCounts checks that nothing that counts can be zero.
func checkCounts(v *verifier, n *Call) {
	for _, p := range parameters(n) {
		l, ok := v.prog.Chip.Limit(p.api, p.name)
		if ok && l.Count && !v.facts.Proves(scalar.C(1), p.x) {
			v.breach(NodeText(n), "%s of %s can be zero (%s)", p.name, p.api, l.Source)
		}
	}
}

// checkBounds checks every access against the slot or the tensor.
func checkBounds(v *verifier, n *Call) {
	for i := range n.Access {
		a := &n.Access[i]
		size := room(a)
		if !v.facts.Proves(scalar.C(0), a.Off) {
			lo, _ := scalar.Bounds(a.Off)
			v.breach(NodeText(n), "%s is accessed from byte %v, which can be %d", accessName(a), a.Off, lo)
		}
		if !v.facts.Proves(a.End(), size) {
			_, hi := scalar.Bounds(a.End().Sub(size))
			v.breach(NodeText(n), "%s is accessed to byte %v of %v: up to %d too many",
				accessName(a), a.End(), size, hi)
		}
	}
}

// room is the bytes that an access may reach: the slot; the storage of a tensor, padding included,
// where it is read; the rows themselves where a result of the kernel is written.
func room(a *Access) Int {
	if a.Global == nil {
		return scalar.C(a.Buf.Bytes)
	}
	g := a.Global
	result := a.Write && (g.Role == kernel.Out || g.Role == kernel.InOut)
	if result && g.Shape.Layout == kernel.ND && g.Shape.Batch.Is(1) {
		return g.Shape.Rows.MulN(g.Pitch() * g.Elem.Bits() / 8)
	}
	return tensorBytes(g)
}

// checkWidths checks that every integer that is computed fits 32 bits.
func checkWidths(v *verifier) {
	const most = 1<<31 - 1
	EachInt(v.prog, func(x Int) {
		if lo, hi := widest(x); lo < -most-1 || hi > most {
			v.breach(x.String(), "a value or an intermediate one can be %d or %d", lo, hi)
		}
	})
}

// widest is the range of x and of all its parts.
func widest(x Int) (lo, hi int64) {
	lo, hi = x.Range()
	if tightLo, tightHi := scalar.Bounds(x); true {
		lo, hi = max(lo, tightLo), min(hi, tightHi)
	}
	if x.Op() == scalar.OpConst || x.Op() == scalar.OpVar {
		return lo, hi
	}
	a, b := x.Args()
	lo1, hi1 := widest(a)
	lo2, hi2 := widest(b)
	return min(lo, lo1, lo2), max(hi, hi1, hi2)
}
