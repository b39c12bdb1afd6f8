package emu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// maxMessage bounds what the child may announce.
const maxMessage = 1 << 30

// writer builds a message for the child: little-endian, strings with a length.
type writer struct{ data []byte }

func (w *writer) u8(v uint8)    { w.data = append(w.data, v) }
func (w *writer) u32(v uint32)  { w.data = binary.LittleEndian.AppendUint32(w.data, v) }
func (w *writer) u64(v uint64)  { w.data = binary.LittleEndian.AppendUint64(w.data, v) }
func (w *writer) f64(v float64) { w.u64(math.Float64bits(v)) }

func (w *writer) text(s string) {
	w.u32(uint32(len(s)))
	w.data = append(w.data, s...)
}

func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *writer) send(to io.Writer) error {
	all := binary.LittleEndian.AppendUint32(nil, uint32(len(w.data)))
	_, err := to.Write(append(all, w.data...))
	return err
}

// reader takes a message apart; the first short read sticks.
type reader struct {
	data []byte
	err  error
}

var errShort = errors.New("short message")

func receive(from io.Reader) (*reader, error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, fmt.Errorf("message of %d bytes", n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(from, data); err != nil {
		return nil, err
	}
	return &reader{data: data}, nil
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.data) {
		r.err = errShort
		return make([]byte, min(n, 8))
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) u8() uint8    { return r.take(1)[0] }
func (r *reader) u32() uint32  { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) i32() int     { return int(int32(r.u32())) }
func (r *reader) u64() uint64  { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) f64() float64 { return math.Float64frombits(r.u64()) }

func (r *reader) text() string {
	n := int(r.u32())
	if n > len(r.data) {
		r.err = errShort
		return ""
	}
	return string(r.take(n))
}

// count reads a number of records of at least size bytes each, bounded by what is left.
func (r *reader) count(size int) int {
	n := int(r.u32())
	if n*size > len(r.data) {
		r.err = errShort
		return 0
	}
	return n
}
