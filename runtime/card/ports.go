package card

import (
	"fmt"
	"strings"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
)

// input is one that the host fills before a step.
type input struct {
	name string
	rows bundlepb.Scalar // what its rows count
	cols int64           // that it needs at least
	own  bool            // it may have the rows of one rank, of those of its group of attention
	fill func(r *runner, put func(row, col int, v int32))
}

// inputs are all that a program can ask for; elements that fill leaves out are zero.
var inputs = []input{
	{"tokens", bundlepb.Scalar_T, 1, true, fillTokens},  // the id
	{"places", bundlepb.Scalar_T, 2, false, fillPlaces}, // page, and position in the page
	{"rows", bundlepb.Scalar_L, 1, false, fillRows},     // of the step, whose logits are wanted
	// The pages of each sequence of the step, in the card's order.
	{"pages", bundlepb.Scalar_FIXED, 1, false, fillPages},
	// Packed: how long the sequences with one token are, it included.
	{"lengths", bundlepb.Scalar_FIXED, 1, false, fillLengths},
}

// inputOf finds an input by name.
func inputOf(name string) (input, bool) {
	for _, in := range inputs {
		if in.name == name {
			return in, true
		}
	}
	return input{}, false
}

func (l *loader) setInputs() error {
	for _, p := range l.program.Inputs {
		in, known := inputOf(p.Name)
		if !known {
			return fmt.Errorf("input %s: this device does not supply it", p.Name)
		}
		b := l.buffers[p.Buffer]
		if b.dtype != dtype.I32 || !b.hasRowFor(in.rows) && !(in.own && l.ownRows(b)) || b.cols < in.cols {
			return fmt.Errorf("input %s: not a buffer of i32 with a row of %d for each of %v",
				p.Name, in.cols, in.rows)
		}
		l.inputOwn = l.inputOwn || in.own && !b.hasRowFor(in.rows)
		if err := l.checkTables(p.Name, b); err != nil {
			return err
		}
	}
	return nil
}

// checkTables holds that the inputs of fixed size have room for all sequences.
func (l *loader) checkTables(name string, b buffer) error {
	seqs, each := int64(l.limits.Seqs), int64(pagesOf(l.limits.Context))
	if name == "pages" && (b.rows.Coef < seqs || b.cols < each) {
		return fmt.Errorf("input pages: %d rows of %d for %d sequences of %d pages",
			b.rows.Coef, b.cols, seqs, each)
	}
	if name == "lengths" && b.rows.Coef*b.cols < seqs {
		return fmt.Errorf("input lengths: %d elements for %d sequences", b.rows.Coef*b.cols, seqs)
	}
	return nil
}

func (l *loader) setOutputs() error {
	for _, p := range l.program.Outputs {
		b := l.buffers[p.Buffer]
		if b.dtype != dtype.F32 && b.dtype != dtype.I32 {
			return fmt.Errorf("output %s: elements of %v, want f32 or i32", p.Name, b.dtype)
		}
		if !b.hasRowFor(bundlepb.Scalar_T) && !b.hasRowFor(bundlepb.Scalar_L) && !l.worldRows(b) {
			return fmt.Errorf("output %s: no row for each token or for each row of logits", p.Name)
		}
		if most := l.limit(b.rows.Scalar); l.outputRows(b, most) > b.rowsAt(int64(most)) {
			return fmt.Errorf("output %s: %d rows in a buffer of %d", p.Name, l.outputRows(b, most),
				b.rowsAt(int64(most)))
		}
		if width := l.width(p.Name, b); width < 1 || width > b.cols {
			return fmt.Errorf("output %s: rows of %d elements in a buffer with %d", p.Name, width, b.cols)
		}
		l.outputs[p.Name] = int(p.Buffer)
	}
	return nil
}

// width is the elements of a row of an output that mean something.
func (l *loader) width(name string, b buffer) int64 {
	model := l.bundle.Manifest().Model
	switch {
	case name == "logits":
		parts := int64(max(1, l.bundle.Manifest().GetPlacement().GetHeadTp()))
		return (model.VocabSize + parts - 1) / parts
	case strings.HasPrefix(name, "experts."):
		return model.ExpertsPerToken / int64(max(1, l.bundle.Manifest().GetPlacement().GetExperts().GetEp()))
	}
	return b.cols
}

// ownRows reports whether a buffer has the rows of one rank, of those that its group of attention has.
func (l *loader) ownRows(b buffer) bool {
	tp := int64(l.groups.TP)
	return b.rows.Scalar == bundlepb.Scalar_T && b.rows.Coef == fractalRows && b.rows.Div == tp*fractalRows
}

// worldRows reports whether a buffer has the rows of all ranks.
func (l *loader) worldRows(b buffer) bool {
	return b.rows.Scalar == bundlepb.Scalar_T && b.rows.Coef == int64(l.ranks)*fractalRows &&
		b.rows.Div == int64(l.groups.TP)*fractalRows
}

func fillTokens(r *runner, put func(row, col int, v int32)) {
	first, count := 0, len(r.order.Tokens)
	if r.inputOwn {
		count = r.groups.Rows(r.batch.T()) / r.groups.TP
		first = r.opt.Rank % r.groups.TP * count
	}
	for row := first; row < min(first+count, len(r.order.Tokens)); row++ {
		put(row-first, 0, r.batch.Tokens[r.order.Tokens[row]])
	}
}

func fillPlaces(r *runner, put func(row, col int, v int32)) {
	for row, t := range r.order.Tokens {
		at := r.batch.Positions[t]
		put(row, 0, r.cache.owned[r.batch.Sequences[t]][at/PageRows])
		put(row, 1, at%PageRows)
	}
}

func fillRows(r *runner, put func(row, col int, v int32)) {
	for i, t := range r.batch.Rows {
		if r.ranks == 1 {
			t = int32(r.order.At[t])
		}
		put(i, 0, t) // several ranks have them in the card's order
	}
}

func fillPages(r *runner, put func(row, col int, v int32)) {
	for i, s := range r.order.Sequences {
		for j, page := range r.cache.owned[s.Sequence] {
			put(i, j, page)
		}
	}
}

func fillLengths(r *runner, put func(row, col int, v int32)) {
	for i, s := range r.order.Sequences[:r.order.Decode] {
		put(0, i, int32(r.cache.length[s.Sequence]))
	}
}
