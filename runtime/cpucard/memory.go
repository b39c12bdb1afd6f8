package cpucard

import (
	"fmt"
	"sort"
	"unsafe"

	"moge/formats/bundle"
	"moge/runtime/card"
)

// alignment is that of addresses, slack the bytes between allocations.
const (
	alignment = 512
	slack     = 32
)

// maxBytes bounds one allocation.
const maxBytes = 1 << 46

// memory is the memory of a card: addresses that stand for pieces of memory of the process.
type memory struct {
	pieces []*piece // ascending
	next   card.Addr
}

// piece is one allocation, or a part of a mapped file.
type piece struct {
	at    card.Addr
	data  []byte
	fixed bool // it must not be written
	zero  bool // it was never written
}

// add gives data an address.
func (m *memory) add(data []byte, fixed bool) card.Addr {
	at := max(m.next, alignment)
	m.pieces = append(m.pieces, &piece{at: at, data: data, fixed: fixed, zero: !fixed})
	end := at + card.Addr(len(data)+slack)
	m.next = (end + alignment - 1) / alignment * alignment
	return at
}

// alloc is new memory, zeros, which the system provides when they are first written.
func (m *memory) alloc(bytes int64) (card.Addr, error) {
	if bytes < 1 || bytes > maxBytes {
		return 0, fmt.Errorf("allocation of %d bytes", bytes)
	}
	raw := make([]byte, bytes+bundle.Align)
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & (bundle.Align - 1)
	return m.add(raw[skip:skip+int(bytes):skip+int(bytes)], false), nil
}

// find is the piece that holds n bytes from an address on, and these bytes.
func (m *memory) find(at card.Addr, n int64) (*piece, []byte, error) {
	i := sort.Search(len(m.pieces), func(i int) bool { return m.pieces[i].at > at }) - 1
	if i < 0 || n < 0 {
		return nil, nil, fmt.Errorf("%d bytes at address %d: there is no memory", n, at)
	}
	p := m.pieces[i]
	from := uint64(at - p.at)
	if from > uint64(len(p.data)) || uint64(n) > uint64(len(p.data))-from {
		return nil, nil, fmt.Errorf("%d bytes at address %d: there are %d from address %d on",
			n, at, len(p.data), p.at)
	}
	return p, p.data[from : from+uint64(n) : from+uint64(n)], nil
}

// writable is find of bytes that are about to be written.
func (m *memory) writable(at card.Addr, n int64) ([]byte, error) {
	p, data, err := m.find(at, n)
	if err != nil {
		return nil, err
	}
	if p.fixed {
		return nil, fmt.Errorf("%d bytes at address %d cannot be written", n, at)
	}
	p.zero = false
	return data, nil
}
