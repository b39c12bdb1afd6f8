package bundle

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// Align is the alignment in bytes of sections in a weight file and of buffers in an arena.
const Align = 64

const (
	maxRank      = 8       // dimensions of a tensor
	maxDimension = 1 << 40 // elements of one dimension
	maxBytes     = 1 << 50 // of one section, file or arena
)

// DType is the element type of a manifest's enum value; dtype.Invalid if it is not known.
func DType(t bundlepb.DType) dtype.Type {
	if t <= 0 || !dtype.Type(min(t, 255)).Valid() {
		return dtype.Invalid
	}
	return dtype.Type(t)
}

// SectionSize is the number of bytes that a tensor takes in a layout, padding included: see
// Section in bundle.proto for the rule.
func SectionSize(t dtype.Type, shape []int64, layout string) (int64, error) {
	if !t.Valid() {
		return 0, fmt.Errorf("unknown element type %d", uint8(t))
	}
	rows, cols, err := parseLayout(layout)
	if err != nil {
		return 0, err
	}
	if len(shape) == 0 || len(shape) > maxRank {
		return 0, fmt.Errorf("%d dimensions, want 1 to %d", len(shape), maxRank)
	}
	if layout != rowLayout && len(shape) < 2 {
		return 0, fmt.Errorf("layout %q needs two dimensions", layout)
	}
	elements := int64(1)
	for i, n := range shape {
		if n < 1 || n > maxDimension {
			return 0, fmt.Errorf("dimension %d is %d, want 1 to %d", i, n, int64(maxDimension))
		}
		switch i {
		case len(shape) - 2:
			n = roundUp(n, rows)
		case len(shape) - 1:
			n = roundUp(n, cols)
		}
		if elements, err = product(elements, n); err != nil {
			return 0, err
		}
	}
	return t.Bytes(elements), nil
}

const rowLayout = "row"

// parseLayout gives the multiples that a layout pads the last two dimensions to.
func parseLayout(layout string) (rows, cols int64, err error) {
	word := strings.TrimLeft(layout, "abcdefghijklmnopqrstuvwxyz")
	if layout == rowLayout {
		return 1, 1, nil
	}
	first, second, both := strings.Cut(word, "x")
	rows, ok := multiple(first)
	cols = 1
	if both && ok {
		cols, ok = multiple(second)
	}
	if !ok || word == layout {
		return 0, 0, fmt.Errorf("unknown layout %q", layout)
	}
	return rows, cols, nil
}

// multiple reads a padding multiple without sign or leading zero.
func multiple(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	ok := err == nil && n >= 1 && n <= 1<<16 && strconv.FormatInt(n, 10) == text
	return n, ok
}

func roundUp(n, multiple int64) int64 { return (n + multiple - 1) / multiple * multiple }

// product multiplies counts of elements and refuses what no file could hold.
func product(a, b int64) (int64, error) {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high != 0 || low > maxBytes {
		return 0, fmt.Errorf("more than %d elements", int64(maxBytes))
	}
	return int64(low), nil
}

// Layout fills Size and Offset of the sections of one rank and returns the size of its file.
// shared[i], if it is not i, is an earlier section whose bytes i has too: equal source and
// transforms, equal dtype, shape and layout. A nil shared stores every section.
func Layout(sections []*bundlepb.Section, shared []int) (int64, error) {
	if shared != nil && len(shared) != len(sections) {
		panic("BUG: one entry of shared for each section")
	}
	var end int64
	for i, s := range sections {
		size, err := SectionSize(DType(s.Dtype), s.Shape, s.Layout)
		if err != nil {
			return 0, invalid("", -1, "section %q: %v", s.Name, err)
		}
		s.Size = size
		if shared != nil && shared[i] != i {
			s.Offset = sections[shared[i]].Offset
			continue
		}
		s.Offset = roundUp(end, Align)
		end = s.Offset + size
		if end > maxBytes {
			return 0, invalid("", -1, "section %q ends after %d bytes", s.Name, int64(maxBytes))
		}
	}
	return end, nil
}
