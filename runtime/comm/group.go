package comm

import "fmt"

// Op is a collective operation.
type Op int

// The operations. Blocks stand in the order of the group's members.
const (
	AllGather     Op = iota // every member gets the blocks of all
	ReduceScatter           // member number i gets block i of the sum
	AllReduce               // every member gets the sum
)

var ops = [...]string{"all_gather", "reduce_scatter", "all_reduce"}

// String is the name of the operation in graphs.
func (o Op) String() string {
	if o < 0 || int(o) >= len(ops) {
		return fmt.Sprintf("operation %d", int(o))
	}
	return ops[o]
}

// Reduces reports whether the operation sums.
func (o Op) Reduces() bool { return o == ReduceScatter || o == AllReduce }

// Sides are the elements that a member of a group of size members sends and receives, where count is
// that of the smaller side.
func (o Op) Sides(count int64, size int) (send, recv int64) {
	switch o {
	case AllGather:
		return count, count * int64(size)
	case ReduceScatter:
		return count * int64(size), count
	}
	return count, count
}

// Group cuts the ranks into groups of Size members that stand Stride ranks apart: rank r is number
// (r/Stride)%Size of its group. All ranks are {n, 1}, pairs of neighbours {2, 1}, rank r with
// rank r+4 of 8 {2, 4}.
type Group struct{ Size, Stride int }

// Index is the number of a rank in its group.
func (g Group) Index(rank int) int { return rank / g.Stride % g.Size }

// Member is the rank that is number j of a rank's group.
func (g Group) Member(rank, j int) int { return rank + (j-g.Index(rank))*g.Stride }

// Members are the ranks of a rank's group, ascending.
func (g Group) Members(rank int) []int {
	list := make([]int, g.Size)
	for j := range list {
		list[j] = g.Member(rank, j)
	}
	return list
}

// String says size and stride.
func (g Group) String() string { return fmt.Sprintf("groups of %d, stride %d", g.Size, g.Stride) }

// Check refuses groups that do not cut n ranks without a rest.
func (g Group) Check(n int) error {
	if g.Size < 1 || g.Stride < 1 || g.Size > n || g.Stride > n || n%(g.Size*g.Stride) != 0 {
		return fmt.Errorf("%v do not cut %d ranks: size · stride must divide them", g, n)
	}
	return nil
}
