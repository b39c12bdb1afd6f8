package kv

import (
	"fmt"

	"moge/ir/dtype"
	"moge/quant"
)

// pool is the storage of one slot: every page, one after the other.
type pool struct {
	slot       Slot
	pageTokens int
	f32        []float32 // [pages][heads][pageTokens][width], one of the three by type
	f16        []uint16
	i8         []int8
	scales     []float32 // [pages][heads][pageTokens], for i8
}

func newPool(s Slot, pageTokens, pages int) pool {
	p := pool{slot: s, pageTokens: pageTokens}
	rows := pages * s.Heads * pageTokens
	switch s.Type {
	case dtype.F32:
		p.f32 = make([]float32, rows*s.Width)
	case dtype.F16:
		p.f16 = make([]uint16, rows*s.Width)
	case dtype.I8:
		p.i8 = make([]int8, rows*s.Width)
		p.scales = make([]float32, rows)
	}
	return p
}

// row is the index, counted in rows, of a head's row.
func (p *pool) row(page int32, head, at int) int {
	return (int(page)*p.slot.Heads+head)*p.pageTokens + at
}

// span cuts n rows from a row index on out of a [rows][width] slice, nil if it is.
func span[T any](all []T, row, n, width int) []T {
	if all == nil {
		return nil
	}
	return all[row*width : (row+n)*width : (row+n)*width]
}

func (p *pool) view(page int32) PageView {
	first, n := p.row(page, 0, 0), p.slot.Heads*p.pageTokens
	return PageView{
		F32:    span(p.f32, first, n, p.slot.Width),
		F16:    span(p.f16, first, n, p.slot.Width),
		I8:     span(p.i8, first, n, p.slot.Width),
		Scales: span(p.scales, first, n, 1),
	}
}

func (p *pool) checkRow(row []float32) {
	if len(row) != p.slot.Heads*p.slot.Width {
		panic(fmt.Sprintf("BUG: row of %d values for slot %s, which takes %d heads of width %d",
			len(row), p.slot.Name, p.slot.Heads, p.slot.Width))
	}
}

func (p *pool) write(page int32, at int, row []float32) {
	p.checkRow(row)
	width := p.slot.Width
	for head := range p.slot.Heads {
		values, r := row[head*width:(head+1)*width], p.row(page, head, at)
		switch p.slot.Type {
		case dtype.F32:
			copy(span(p.f32, r, 1, width), values)
		case dtype.F16:
			for i, v := range values {
				p.f16[r*width+i] = dtype.F32ToF16(v)
			}
		case dtype.I8:
			p.scales[r] = quant.EncodeDynamic(span(p.i8, r, 1, width), values)
		}
	}
}

func (p *pool) read(page int32, at int, row []float32) {
	p.checkRow(row)
	width := p.slot.Width
	for head := range p.slot.Heads {
		values, r := row[head*width:(head+1)*width], p.row(page, head, at)
		switch p.slot.Type {
		case dtype.F32:
			copy(values, span(p.f32, r, 1, width))
		case dtype.F16:
			for i := range values {
				values[i] = dtype.F16ToF32(p.f16[r*width+i])
			}
		case dtype.I8:
			quant.DecodeRow(values, span(p.i8, r, 1, width), p.scales[r])
		}
	}
}

// copyPage copies the first n positions of each head.
func (p *pool) copyPage(dst, src int32, n int) {
	width := p.slot.Width
	for head := range p.slot.Heads {
		to, from := p.row(dst, head, 0), p.row(src, head, 0)
		copy(span(p.f32, to, n, width), span(p.f32, from, n, width))
		copy(span(p.f16, to, n, width), span(p.f16, from, n, width))
		copy(span(p.i8, to, n, width), span(p.i8, from, n, width))
		copy(span(p.scales, to, n, 1), span(p.scales, from, n, 1))
	}
}
