package comm

// meeting is one collective of one group. Members arrive, then all do their part, and none leaves
// before all have: the slices of each are read or written by the others.
type meeting struct {
	group      Group
	calls      []Call // by number in the group; those who have arrived
	here       []bool
	send, recv [][]byte
	missing    int           // members that have not arrived
	full       chan struct{} // closed when all have
	working    int           // members that have not done their part
	done       chan struct{} // closed when all have
}

func newMeeting(g Group) *meeting {
	return &meeting{group: g, calls: make([]Call, g.Size), here: make([]bool, g.Size),
		send: make([][]byte, g.Size), recv: make([][]byte, g.Size), missing: g.Size, working: g.Size,
		full: make(chan struct{}), done: make(chan struct{})}
}

// arrive puts a member's call down, unless that of another differs from it, which is given then.
func (m *meeting) arrive(i int, c Call, send, recv []byte) (other Call, fits bool) {
	for j, there := range m.here {
		if there && !m.calls[j].fits(c) {
			return m.calls[j], false
		}
	}
	m.calls[i], m.here[i], m.send[i], m.recv[i] = c, true, send, recv
	m.missing--
	if m.missing == 0 {
		close(m.full)
	}
	return c, true
}

// absent are the members that have not arrived.
func (m *meeting) absent() []int {
	var list []int
	i := 0
	for !m.here[i] {
		i++
	}
	for j, there := range m.here {
		if !there {
			list = append(list, m.group.Member(m.calls[i].Rank, j))
		}
	}
	return list
}

// part is member i's share of the work. Each writes bytes that no other reads or writes, in all
// slices, so that a block of a receiver may be the sender's own.
func (m *meeting) part(i int) {
	c := m.calls[i]
	switch c.Op {
	case AllGather:
		for _, r := range m.recv {
			copy(r[i*c.Send:(i+1)*c.Send], m.send[i])
		}
	case ReduceScatter:
		n := int64(c.Recv) / c.Type.Bytes(1)
		sum(c.Type, m.send, m.recv[i:i+1], int64(i)*n, int64(i+1)*n, 0)
	case AllReduce:
		n, size := int64(c.Send)/c.Type.Bytes(1), int64(c.Group.Size)
		lo, hi := n*int64(i)/size, n*int64(i+1)/size
		sum(c.Type, m.send, m.recv, lo, hi, lo)
	}
}
