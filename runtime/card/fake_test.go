package card

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// fake is a card in memory of this process. It holds every call against the contract, records
// launches and, unless idle, does what the small program's kernels would:
//
//	embed    out[t] = table[ids[t]]
//	write    the row of each token goes to its place in keys, and twice of it in values
//	prefill  out[t] = sums of keys and of values up to position start + t
//	decode   out[s] = the same, below lengths[s]
//	top      ids[t] = sum of t modulo 7, and modulo 5
//	head     logits[r, v] = sum of keys of token rows[r], plus v
type fake struct {
	t        testing.TB
	idle     bool
	most     int64            // bytes that Alloc gives in all; 0 is no bound
	failing  map[string]error // by kernel, or "alloc", "write", "read", "clear", "close"
	need     int64
	memory   []byte
	blocks   [][2]int64 // allocations: from, to
	launches []Launch
	cleared  [][2]int64
	closed   int
}

func (f *fake) open(_ context.Context, _ *bundle.Bundle, need int64) (Card, error) {
	f.need = need
	return f, f.failing["open"]
}

// Alloc gives memory that holds no zeros.
func (f *fake) Alloc(bytes int64) (Addr, error) {
	if err := f.failing["alloc"]; err != nil {
		return 0, err
	}
	if bytes < 1 || bytes > f.need {
		f.t.Errorf("allocation of %d bytes, announced were %d", bytes, f.need)
	}
	at := int64(len(f.memory)+511)/512*512 + 512
	if f.most > 0 && (bytes > f.most || at+bytes > f.most) {
		return 0, errors.New("the card is full")
	}
	if at+bytes > f.need {
		f.t.Errorf("memory to byte %d, announced were %d", at+bytes, f.need)
	}
	f.memory = append(f.memory, slices.Repeat([]byte{0xa5}, int(at+bytes)-len(f.memory)+32)...)
	f.blocks = append(f.blocks, [2]int64{at, at + bytes})
	return Addr(at), nil
}

// span is memory inside one allocation.
func (f *fake) span(what string, at Addr, n int64) []byte {
	if n < 1 {
		f.t.Fatalf("%s of %d bytes", what, n)
	}
	for _, b := range f.blocks {
		if int64(at) >= b[0] && int64(at) <= b[1]-n {
			return f.memory[at : int64(at)+n]
		}
	}
	f.t.Fatalf("%s of %d bytes at %d: not in one allocation", what, n, at)
	return nil
}

func (f *fake) Write(at Addr, data []byte) error {
	copy(f.span("write", at, int64(len(data))), data)
	return f.failing["write"]
}

func (f *fake) Read(at Addr, into []byte) error {
	copy(into, f.span("read", at, int64(len(into))))
	return f.failing["read"]
}

func (f *fake) Clear(at Addr, bytes int64) error {
	clear(f.span("clear", at, bytes))
	f.cleared = append(f.cleared, [2]int64{int64(at), int64(at) + bytes})
	return f.failing["clear"]
}

func (f *fake) Close() error {
	f.closed++
	return f.failing["close"]
}

// Launch checks that every tensor has memory of its own, then runs the kernel.
func (f *fake) Launch(ctx context.Context, l Launch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var memory [][]byte
	for i, t := range l.Tensors {
		data := f.span(fmt.Sprintf("kernel %s, tensor %d", l.Kernel, i), t.At, t.Bytes)
		if t.At%32 != 0 {
			f.t.Errorf("kernel %s: tensor %d begins at %d", l.Kernel, i, t.At)
		}
		if t.Role == bundlepb.TensorRole_ROLE_ZEROED {
			if slices.ContainsFunc(data, func(b byte) bool { return b != 0 }) {
				f.t.Errorf("kernel %s: tensor %d is not zero", l.Kernel, i)
			}
			data[0] = 1
		}
		memory = append(memory, data)
	}
	f.launches = append(f.launches, l)
	if err := f.failing[l.Kernel]; err != nil || f.idle {
		return err
	}
	map[string]func(kernelCall){"embed": embed, "write": write, "prefill": prefillSums, "decode": decodeSums,
		"top": top, "head": head}[l.Kernel](kernelCall{f.t, memory, l.Scalars})
	return nil
}

// kernelCall is a launch as its kernel sees it.
type kernelCall struct {
	t       testing.TB
	tensors [][]byte
	scalars []int32
}

// i32 is element i of a tensor.
func (c kernelCall) i32(tensor, i int) int {
	return int(int32(binary.LittleEndian.Uint32(c.tensors[tensor][4*i:])))
}

func (c kernelCall) putI32(tensor, i int, v uint32) {
	binary.LittleEndian.PutUint32(c.tensors[tensor][4*i:], v)
}

// half is the first element of a row of halves.
func (c kernelCall) half(tensor, row int) int {
	var v [1]float32
	dtype.Decode(dtype.F16, v[:], c.tensors[tensor][2*width*row:][:2])
	return int(v[0])
}

func (c kernelCall) putHalf(tensor, row, v int) {
	dtype.Encode(dtype.F16, c.tensors[tensor][2*width*row:][:2], []float32{float32(v)})
}

func embed(c kernelCall) {
	for t := range int(c.scalars[0]) {
		copy(c.tensors[2][2*width*t:][:2*width], c.tensors[1][2*width*c.i32(0, 8*t):])
	}
}

func write(c kernelCall) {
	tokens := int(c.scalars[0])
	if c.scalars[2] != 5 || int(c.scalars[3]) != 2*tokens {
		c.t.Errorf("write: scalars %v", c.scalars)
	}
	for t := range tokens {
		page, at := c.i32(1, 8*t), c.i32(1, 8*t+1)
		if page < 0 || page >= int(c.scalars[1]) || at < 0 || at >= PageRows {
			c.t.Fatalf("write: token %d goes to %d in page %d of %d", t, at, page, c.scalars[1])
		}
		c.putHalf(3, page*PageRows+at, c.half(0, t))
		c.putHalf(4, page*PageRows+at, 2*c.half(0, t))
	}
}

// sums puts the sums over the first n positions of a sequence to a row of out; table is its row of
// the page table, query its row of q, which was written last.
func (c kernelCall) sums(out, row, table, query, n int) {
	keys, values, last := 0, 0, 0
	for p := range n {
		at := c.i32(3, table*8+p/PageRows)*PageRows + p%PageRows
		last = c.half(1, at)
		keys, values = keys+last, values+c.half(2, at)
	}
	if last != c.half(0, query) {
		c.t.Errorf("row %d has the query %d, but the key %d", query, c.half(0, query), last)
	}
	c.putI32(out, 8*row, uint32(keys))
	c.putI32(out, 8*row+1, uint32(values))
}

func prefillSums(c kernelCall) {
	for t := range int(c.scalars[0]) {
		c.sums(4, t, 0, t, int(c.scalars[1])+t+1)
	}
}

func decodeSums(c kernelCall) {
	for s := range int(c.scalars[0]) {
		c.sums(5, s, s, s, c.i32(4, s))
	}
}

func top(c kernelCall) {
	for t := range int(c.scalars[0]) {
		c.putI32(1, 8*t, uint32(c.i32(0, 8*t)%7))
		c.putI32(1, 8*t+1, uint32(c.i32(0, 8*t)%5))
	}
}

func head(c kernelCall) {
	pitch := vocab + 4
	for r := range int(c.scalars[0]) {
		row := c.i32(0, 8*r)
		if row < 0 || row >= int(c.scalars[1]) {
			c.t.Fatalf("head: row %d of %d", row, c.scalars[1])
		}
		for v := range pitch {
			c.putI32(2, r*pitch+v, nan32)
			if v < vocab {
				dtype.Encode(dtype.F32, c.tensors[2][4*(r*pitch+v):][:4], []float32{float32(c.i32(1, 8*row) + v)})
			}
		}
	}
}
