package kernel

import "moge/ascend/kernel/scalar"

// Load copies src to dst. Extents must agree. Whole 32-byte blocks are copied: to ND tiles from
// ND tensors, to NZ tiles from NZ tensors as they are, from ND tensors with reordering.
func (b *Builder) Load(dst Tile, src Region) {
	b.sameElem("load", dst.Elem(), src.Global.Elem)
	b.sameExtent("load", dst.Rows, src.Rows, dst.Cols, src.Cols)
	b.add(&Load{dst, src})
}

// Store copies src to dst, an ND tensor; whole 32-byte blocks of each row are written.
func (b *Builder) Store(dst Region, src Tile) { b.store(dst, src, false) }

// StoreAdd adds src to what dst holds.
func (b *Builder) StoreAdd(dst Region, src Tile) { b.store(dst, src, true) }

func (b *Builder) store(dst Region, src Tile, add bool) {
	if dst.Global.Role == In {
		b.errorf("store to the input %s", dst.Global.Name)
	}
	b.sameElem("store", src.Elem(), dst.Global.Elem)
	b.sameExtent("store", src.Rows, dst.Rows, src.Cols, dst.Cols)
	b.add(&Store{dst, src, add})
}

// ToMat copies a row-major vector tile into a tile for MatMul.
func (b *Builder) ToMat(dst, src Tile) {
	b.memory("ToMat", dst, Mat)
	b.memory("ToMat", src, Vec)
	b.sameElem("ToMat", dst.Elem(), src.Elem())
	b.sameExtent("ToMat", dst.Rows, src.Rows, dst.Cols, src.Cols)
	b.add(&ToMat{dst, src})
}

// ReadInt reads the first element of t, which the author knows to lie in lo..hi.
func (b *Builder) ReadInt(name string, t Tile, lo, hi Int) Int {
	b.memory("ReadInt", t, Vec)
	if t.Elem() != I32 && t.Elem() != U32 {
		b.errorf("ReadInt of %s elements", t.Elem())
	}
	v := scalar.NewRead(b.claim(name), lo, hi)
	b.add(&ReadInt{v, t})
	return v.Int()
}

// ReadIndex reads the first element of a region of an I32 input, which the author knows to lie in
// lo..hi. Unlike ReadInt it needs no tile, so that both products and vector statements can depend
// on it; it is for single numbers that are read rarely.
func (b *Builder) ReadIndex(name string, at Region, lo, hi Int) Int {
	if at.Global.Role != In {
		b.errorf("ReadIndex of %s, which is no input", at.Global.Name)
	}
	b.sameElem("ReadIndex", at.Global.Elem, I32)
	v := scalar.NewRead(b.claim(name), lo, hi)
	b.add(&ReadIndex{v, at})
	return v.Int()
}

// ReadFloat reads the first element of t, F32 or F16.
func (b *Builder) ReadFloat(name string, t Tile) Float {
	b.memory("ReadFloat", t, Vec)
	if t.Elem() != F32 && t.Elem() != F16 {
		b.errorf("ReadFloat of %s elements", t.Elem())
	}
	name = b.claim(name)
	b.add(&ReadFloat{name, t})
	return NamedFloat(name)
}

// WriteFloat sets the first element of t, F32 or F16, to f.
func (b *Builder) WriteFloat(t Tile, f Float) {
	b.memory("WriteFloat", t, Vec)
	if t.Elem() != F32 && t.Elem() != F16 {
		b.errorf("WriteFloat of %s elements", t.Elem())
	}
	b.add(&Write{Tile: t, Float: f})
}

// WriteInt sets the first element of t, I32 or U32, to x.
func (b *Builder) WriteInt(t Tile, x Int) {
	b.memory("WriteInt", t, Vec)
	if t.Elem() != I32 && t.Elem() != U32 {
		b.errorf("WriteInt of %s elements", t.Elem())
	}
	b.add(&Write{Tile: t, Int: x})
}

func (b *Builder) sameElem(what string, x, y Elem) {
	if x != y {
		b.errorf("%s between %s and %s", what, x, y)
	}
}

func (b *Builder) sameExtent(what string, r0, r1, c0, c1 Int) {
	if !r0.Same(r1) || !c0.Same(c1) {
		b.errorf("%s between [%v, %v] and [%v, %v]", what, r0, c0, r1, c1)
	}
}

func (b *Builder) memory(what string, t Tile, m Memory) {
	if t.Buf.Type.Memory != m {
		b.errorf("%s: %s is in %s, not %s", what, t.Buf.Name, t.Buf.Type.Memory, m)
	}
}
