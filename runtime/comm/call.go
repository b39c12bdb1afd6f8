package comm

import (
	"fmt"

	"moge/ir/dtype"
)

// Call is what a rank asked for.
type Call struct {
	Rank       int
	Op         Op
	Group      Group
	Send, Recv int // bytes
	Type       dtype.Type
}

// String is the call in words.
func (c Call) String() string {
	return fmt.Sprintf("rank %d: %v of %v, %d bytes to %d, %v", c.Rank, c.Op, c.Type, c.Send, c.Recv,
		c.Group)
}

// check refuses what no other member could make right.
func (c Call) check(n int) error {
	if err := c.Group.Check(n); err != nil {
		return err
	}
	if c.Op < AllGather || c.Op > AllReduce {
		return fmt.Errorf("there is no %v", c.Op)
	}
	if c.Op.Reduces() && !summable(c.Type) {
		return fmt.Errorf("%v of %v: sums are of f32, f16, bf16 and i32", c.Op, c.Type)
	}
	send, recv := c.Op.Sides(int64(min(c.Send, c.Recv)), c.Group.Size)
	if int64(c.Send) != send || int64(c.Recv) != recv {
		return fmt.Errorf("%v in a group of %d: %d bytes to send do not make %d to receive",
			c.Op, c.Group.Size, c.Send, c.Recv)
	}
	if c.Op.Reduces() && int64(min(c.Send, c.Recv))%c.Type.Bytes(1) != 0 {
		return fmt.Errorf("%v: %d bytes are no whole number of %v", c.Op, min(c.Send, c.Recv), c.Type)
	}
	return nil
}

// fits reports whether two calls are the same but for the rank.
func (c Call) fits(d Call) bool {
	d.Rank = c.Rank
	return c == d
}

// MismatchError is of two members that asked for different things: in one group, or each in a group
// that waits for the other.
type MismatchError struct{ A, B Call }

// Error names both calls.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("collectives that do not belong together: %v; %v", e.A, e.B)
}

// RankError is why no rank goes on: the first that failed, and what happened to it.
type RankError struct {
	Rank int
	Err  error
}

// Error names the rank.
func (e *RankError) Error() string { return fmt.Sprintf("rank %d: %v", e.Rank, e.Err) }

// Unwrap gives the cause.
func (e *RankError) Unwrap() error { return e.Err }
