package card

import (
	"cmp"
	"context"
	"fmt"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/comm"
)

// Collective is a card that exchanges rows with other cards itself. Others go through the memory of the
// host, see device.Options.Comm.
type Collective interface {
	// Collective takes part in an operation of a group: count elements of send, or the count of them
	// that the rank receives when rows are scattered. It may return before it has ended.
	Collective(ctx context.Context, op comm.Op, g comm.Group, send, recv Addr, count int64, t dtype.Type) error
}

// collective is a step in which ranks exchange rows of halves.
type collective struct {
	op       comm.Op
	group    comm.Group
	rows     value // that the rank brings
	from, to int   // buffers
}

// collectives are the op-codes that ranks run together.
var collectives = map[bundlepb.OpCode]comm.Op{
	bundlepb.OpCode_ALL_GATHER: comm.AllGather, bundlepb.OpCode_REDUCE_SCATTER: comm.ReduceScatter,
	bundlepb.OpCode_ALL_REDUCE: comm.AllReduce,
}

// exchange checks a collective: groups that the ranks make, rows that both buffers hold.
func (l *loader) exchange(s *bundlepb.Step) (step, error) {
	attrs := attributes{step: s}
	c := &collective{op: collectives[s.Op],
		group: comm.Group{Size: int(attrs.take("size").GetI()), Stride: int(attrs.take("stride").GetI())}}
	if err := c.group.Check(l.ranks); err != nil {
		return step{}, err
	}
	var err error
	if c.rows, err = l.value("", "rows", attrs.take("rows")); err != nil {
		return step{}, err
	}
	if c.rows.word != "" {
		return step{}, fmt.Errorf("scalar rows is %q, want a number of rows", c.rows.word)
	}
	if len(s.Args) != 1 || len(s.Results) != 1 {
		return step{}, fmt.Errorf("%d arguments and %d results", len(s.Args), len(s.Results))
	}
	from, okFrom := s.Args[0].Kind.(*bundlepb.Operand_Buffer)
	to, okTo := s.Results[0].Kind.(*bundlepb.Operand_Buffer)
	if !okFrom || !okTo || l.overlap(s.Args[0], s.Results[0]) {
		return step{}, fmt.Errorf("rows pass from one buffer to another")
	}
	c.from, c.to = int(from.Buffer), int(to.Buffer)
	return step{collective: c}, cmp.Or(l.checkRows(c), attrs.all())
}

// checkRows holds that what is sent and received fits, whatever the step.
func (l *loader) checkRows(c *collective) error {
	from, to := l.buffers[c.from], l.buffers[c.to]
	if from.dtype != dtype.F16 || to.dtype != dtype.F16 || from.cols != to.cols {
		return fmt.Errorf("rows of %d %v become rows of %d %v, want halves of one width",
			from.cols, from.dtype, to.cols, to.dtype)
	}
	most := c.rows.at(func(s bundlepb.Scalar) int64 { return int64(l.limit(s)) })
	received, ok := c.received(most)
	if !ok || c.rows.scalar != bundlepb.Scalar_T && c.rows.scalar != bundlepb.Scalar_FIXED {
		return fmt.Errorf("%d rows do not make %d parts", most, c.group.Size)
	}
	if most > from.rowsAt(int64(l.limits.BatchTokens)) || received > to.rowsAt(int64(l.limits.BatchTokens)) {
		return fmt.Errorf("%d rows sent and %d received leave their buffers", most, received)
	}
	// Buffers grow with T as the rows do, so that what fits at the limit fits below.
	if from.rows.Scalar != c.rows.scalar || to.rows.Scalar != c.rows.scalar {
		return fmt.Errorf("rows of another scalar than their buffers")
	}
	return nil
}

// received is the rows that a rank gets of those that each brings.
func (c *collective) received(rows int64) (int64, bool) {
	size := int64(c.group.Size)
	switch c.op {
	case comm.AllGather:
		return rows * size, true
	case comm.ReduceScatter:
		return rows / size, rows%size == 0
	}
	return rows, true
}

// collect takes part in a collective.
func (r *runner) collect(ctx context.Context, c *collective) error {
	rows := c.rows.at(r.scalar)
	received, ok := c.received(rows)
	if !ok {
		return fmt.Errorf("%d rows do not make %d parts", rows, c.group.Size)
	}
	cols, pitch := r.buffers[c.from].cols, r.buffers[c.from].pitch()
	if direct, ok := r.card.(Collective); ok {
		count := min(rows, received) * cols
		return direct.Collective(ctx, c.op, c.group, r.at[c.from], r.at[c.to], count, dtype.F16)
	}
	send, recv := make([]byte, rows*pitch), make([]byte, received*pitch)
	if err := r.card.Read(r.at[c.from], send); err != nil {
		return err
	}
	if err := r.opt.Comm.Do(ctx, c.op, c.group, send, recv, dtype.F16); err != nil {
		return err
	}
	return r.card.Write(r.at[c.to], recv)
}
