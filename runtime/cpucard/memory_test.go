package cpucard

import (
	"bytes"
	"testing"
	"unsafe"
)

// alignedPart is n bytes of raw that begin at a multiple of a block.
func alignedPart(raw []byte, n int) []byte {
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & (blockBytes - 1)
	return raw[skip : skip+n : skip+n]
}

func TestMemory(t *testing.T) {
	c := newChip(1, nil)
	defer c.Close()
	a, err := c.Alloc(100)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Alloc(7000)
	if err != nil {
		t.Fatal(err)
	}
	if a%alignment != 0 || b%alignment != 0 || b < a+100+slack {
		t.Errorf("allocations at %d and %d", a, b)
	}
	want := bytes.Repeat([]byte{1, 2, 3}, 30)
	if err := c.Write(b+10, want); err != nil {
		t.Fatal(err)
	}
	if err := c.Clear(b+13, 3); err != nil {
		t.Fatal(err)
	}
	clear(want[3:6])
	got := make([]byte, len(want))
	if err := c.Read(b+10, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("error %v, read %v", err, got)
	}
	if err := c.Clear(a, 100); err != nil || !c.pieces[0].zero {
		t.Errorf("error %v; memory that was never written was touched by Clear", err)
	}
	fixed, err := c.Map(alignedPart(make([]byte, 100), 64))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		err  error
		want string
	}{
		{c.Write(a+90, make([]byte, 11)), "11 bytes at address 602: there are 100 from address 512 on"},
		{c.Read(a-1, make([]byte, 1)), "1 bytes at address 511: there is no memory"},
		{c.Read(1<<40, make([]byte, 1)), "1 bytes at address 1099511627776: there are 64 from address 8192 on"},
		{c.Clear(a, -5), "-5 bytes at address 512: there is no memory"},
		{c.Clear(b, 7001), "7001 bytes at address 1024: there are 7000 from address 1024 on"},
		{c.Write(fixed, make([]byte, 2)), "2 bytes at address 8192 cannot be written"},
		{c.Clear(fixed, 2), "2 bytes at address 8192 cannot be written"},
	} {
		if e.err == nil || e.err.Error() != e.want {
			t.Errorf("error %v, want %s", e.err, e.want)
		}
	}
	for _, n := range []int64{0, -1, maxBytes + 1} {
		if _, err := c.Alloc(n); err == nil {
			t.Errorf("%d bytes were allocated", n)
		}
	}
	if _, err := c.Map(alignedPart(make([]byte, 100), 64)[1:]); err == nil ||
		err.Error() != "63 bytes begin at no multiple of 32" {
		t.Errorf("error %v", err)
	}
}
