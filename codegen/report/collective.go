package report

import (
	"fmt"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// Collective is an exchange of a group of ranks.
type Collective struct {
	Kind   string `json:"kind"`
	Size   int64  `json:"size"`   // ranks of a group
	Stride int64  `json:"stride"` // between neighbours of a group
	Wire   string `json:"wire"`   // element type on the way
	// Elements and Bytes are what a rank sends on a ring in the report's step: of n ranks and x, its
	// argument, (n-1)·x to gather, x·(n-1)/n to reduce and scatter, twice that to reduce for all.
	Elements int64 `json:"elements"`
	Bytes    int64 `json:"bytes"`
}

// Schedule is the collectives of a program, or of a stage of its compilation.
type Schedule struct {
	Name  string       `json:"name"`
	Layer []Collective `json:"layer"` // of one layer, in order; of the kind that repeats most often
	// Count and Bytes are of a layer, Total counts and TotalBytes sums up the whole step.
	Count      int   `json:"count"`
	Bytes      int64 `json:"bytes"`
	Total      int   `json:"total"`
	TotalBytes int64 `json:"total_bytes"`
}

// NewSchedule sums up the collectives of a layer, of which there are so many, and those outside.
func NewSchedule(name string, layer []Collective, layers int, outside []Collective) Schedule {
	s := Schedule{Name: name, Layer: layer, Count: len(layer), Total: len(layer)*layers + len(outside)}
	for _, c := range layer {
		s.Bytes = plus(s.Bytes, c.Bytes)
	}
	s.TotalBytes = times(s.Bytes, int64(layers))
	for _, c := range outside {
		s.TotalBytes = plus(s.TotalBytes, c.Bytes)
	}
	return s
}

// RingElements is what each of n ranks sends on a ring for x elements of its argument.
func RingElements(kind string, n, x int64) int64 {
	if n < 2 {
		return 0
	}
	switch kind {
	case bundlepb.OpCode_ALL_GATHER.String():
		return times(n-1, x)
	case bundlepb.OpCode_REDUCE_SCATTER.String():
		return times(n-1, ceilDiv(max(x, 1), n))
	case bundlepb.OpCode_ALL_REDUCE.String():
		return times(2*(n-1), ceilDiv(max(x, 1), n))
	}
	return 0
}

// collective is nil for a step that exchanges nothing.
func (w *walk) collective(s *bundlepb.Step) *Collective {
	switch s.Op {
	case bundlepb.OpCode_ALL_GATHER, bundlepb.OpCode_REDUCE_SCATTER, bundlepb.OpCode_ALL_REDUCE:
	default:
		return nil
	}
	c := &Collective{Kind: s.Op.String(), Size: attrInt(s, "size"), Stride: attrInt(s, "stride"),
		Wire: attrText(s, "wire")}
	if c.Size < 1 || c.Size > int64(w.placed.Devices) || len(s.Args) == 0 {
		return c
	}
	b, ok := s.Args[0].Kind.(*bundlepb.Operand_Buffer)
	if !ok {
		return c
	}
	buffer := w.program.Buffers[b.Buffer]
	t := bundle.DType(buffer.Dtype)
	if t == dtype.F32 && c.Wire == dtype.F16.String() {
		t = dtype.F16
	}
	c.Wire = t.String()
	c.Elements = RingElements(c.Kind, c.Size, w.scalars.elements(buffer))
	c.Bytes = tensorBytes(t, c.Elements)
	return c
}

// schedule lists the collectives of the bundle's program.
func (w *walk) schedule(blocks []Block) Schedule {
	out, most := Schedule{Name: "this bundle", Layer: []Collective{}}, 0
	for _, b := range blocks {
		list := collectives(b.Ops)
		s := NewSchedule("", list, b.Repeat, nil)
		if b.Layer >= 0 && b.Repeat > most {
			most = b.Repeat
			out.Layer, out.Count, out.Bytes = list, s.Count, s.Bytes
		}
		out.Total += s.Total
		out.TotalBytes = plus(out.TotalBytes, s.TotalBytes)
	}
	return out
}

func collectives(ops []Op) []Collective {
	list := []Collective{}
	for _, o := range ops {
		if o.Collective != nil {
			list = append(list, *o.Collective)
		}
	}
	return list
}

// Group spells the ranks of a group: 4 ranks, or 2 ranks 4 apart.
func (c *Collective) Group() string {
	if c.Stride > 1 {
		return fmt.Sprintf("%d ranks, %d apart", c.Size, c.Stride)
	}
	return fmt.Sprintf("%d ranks", c.Size)
}
