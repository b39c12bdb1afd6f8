package gate

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"

	"moge/ir/dtype"
)

// Comparison is one output beside what was wanted of it.
type Comparison struct {
	Tensor string
	Why    string // what the bounds are derived from
	Exact  int    // elements that had to be equal
	Near   int    // elements that had a bound
	Error  float64
	Bound  float64 // Error is the largest error in parts of its bound, this bound
	Wrong  string  // the first element, by rows, that is outside of its bound; empty if none
}

// share is the error in parts of the bound.
func (c *Comparison) share() float64 {
	if c.Bound == 0 {
		return 0
	}
	return c.Error / c.Bound
}

// add takes in the comparison of the rows that follow.
func (c *Comparison) add(next Comparison) {
	c.Exact += next.Exact
	c.Near += next.Near
	if next.share() > c.share() || c.Bound == 0 {
		c.Error, c.Bound = next.Error, next.Bound
	}
	if c.Wrong == "" {
		c.Wrong = next.Wrong
	}
}

// Compare holds data, the memory of the tensor after a run of a case of that name, against what is wanted:
// every element, by groups of rows on all processors.
func (o Output) Compare(name string, data []byte) Comparison {
	parts := make([]Comparison, min(max(o.Rows, 1), 8*runtime.GOMAXPROCS(0)))
	each := (o.Rows + len(parts) - 1) / len(parts)
	var wait sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range parts {
		limit <- struct{}{}
		wait.Go(func() {
			for row := i * each; row < min((i+1)*each, o.Rows); row++ {
				parts[i].add(o.compareRow(name, data, row))
			}
			<-limit
		})
	}
	wait.Wait()
	all := Comparison{Tensor: o.Tensor, Why: o.Why}
	for _, p := range parts {
		all.add(p)
	}
	return all
}

func (o Output) compareRow(name string, data []byte, row int) Comparison {
	var c Comparison
	size := o.Type.Bits() / 8
	for col := range o.Cols {
		got := o.value(data[o.at(row, col)*size:])
		if o.Settle != nil {
			o.Settle(row, col, got)
		}
		want, bound := o.Want(row, col)
		c.element(got, want, bound)
		if c.Wrong == "" && !within(got, want, bound) {
			c.Wrong = o.wrong(name, row, col, got, want, bound)
		}
	}
	if !o.ZeroPadding {
		return c
	}
	for col := o.Cols; col < o.Pitch; col++ {
		if got := o.value(data[(row*o.Pitch+col)*size:]); got != 0 && c.Wrong == "" {
			c.Wrong = o.wrong(name, row, col, got, 0, 0) + ": it is padding"
		}
	}
	return c
}

// element takes in one element.
func (c *Comparison) element(got, want, bound float64) {
	if bound == 0 {
		c.Exact++
		return
	}
	c.Near++
	off := math.Abs(got - want)
	if !(off < math.MaxFloat64) { // it is wrong, and no number
		return
	}
	if off*c.Bound > c.Error*bound || c.Bound == 0 {
		c.Error, c.Bound = off, bound
	}
}

// within reports whether got may stand for want; what is not a number may not.
func within(got, want, bound float64) bool {
	return got == want || math.Abs(got-want) <= bound
}

func (o Output) wrong(name string, row, col int, got, want, bound float64) string {
	s := fmt.Sprintf("%s: %s[%d, %d] is %s, want %s", name, o.Tensor, row, col, o.text(got),
		o.text(want))
	if bound > 0 {
		s += fmt.Sprintf(" within %.3g (%s)", bound, o.Why)
	}
	return s
}

// text is enough digits for a value of the type.
func (o Output) text(v float64) string {
	if o.Type == dtype.I8 || o.Type == dtype.I32 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 9, 64)
}

func (o Output) at(row, col int) int {
	if o.At != nil {
		return o.At(row, col)
	}
	return row*o.Pitch + col
}

// value is the element at the beginning of data.
func (o Output) value(data []byte) float64 {
	switch o.Type {
	case dtype.I8:
		return float64(int8(data[0]))
	case dtype.I32:
		return float64(int32(binary.LittleEndian.Uint32(data)))
	case dtype.F16:
		return float64(dtype.F16ToF32(binary.LittleEndian.Uint16(data)))
	case dtype.F32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	panic("BUG: outputs of type " + o.Type.String())
}
