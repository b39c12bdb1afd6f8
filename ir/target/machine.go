package target

import "moge/ir/dtype"

// Machine is one kind of accelerator: what a chip can do, and how many chips a server has.
// Each chip runs one rank.
type Machine struct {
	Name        string       // as on the command line, such as "300i-duo"
	Chip        string       // the chip's own name, such as "Ascend310P3"
	CardChips   int          // chips on a card
	ServerChips int          // chips in a server of the usual size
	Compute     []dtype.Type // element-wise ops and reductions compute in these
	Store       []dtype.Type // tensors in device memory may have these
	Matmuls     []Matmul     // operand types of the matrix unit
	Saturates   bool         // f16 overflow gives ±65504 and NaN gives 0, instead of infinity and NaN
	Align       Align
	Memories    []Memory
	Units       []Unit
	Rates       []Rate
	Collectives []Collective
	Streams     int // streams open at once; 0 is not known
	Events      int // events that order streams; 0 is not known
}

// Matmul is a combination of types that the matrix unit multiplies: A·B is summed in
// Accumulator.
type Matmul struct {
	A, B, Accumulator dtype.Type
}

// Align is how tensors lie in device memory.
type Align struct {
	Address int // of the start of a tensor, bytes
	Row     int // of the pitch of a row of activations, bytes
	Rows    int // rows of a matmul operand are allocated to a multiple of this
	Slack   int // bytes behind each tensor that belong to no other
}

// Memory is one memory of a chip, or of each core if it is on the core.
type Memory struct {
	Name   string // "dram", "l2", "ub", "l1" and so on
	Bytes  int64
	Usable int64 // what is left of Bytes for the program
	Align  int   // of addresses and sizes in it, bytes
	OnCore bool  // each core has one
}

// Unit is a kind of execution unit.
type Unit struct {
	Name  string // "core", "cube", "vector"
	Count int    // on a chip
	Hz    int64
}

// Rate is how fast one core moves data from one memory to another.
type Rate struct {
	From, To      string // names of memories
	BytesPerCycle int
	Hz            int64 // clock of those cycles
}

// Collective is an operation between ranks that the machine's library has.
type Collective struct {
	Op           string       // "all_reduce", "all_gather", "reduce_scatter", "all_to_all" and so on
	Types        []dtype.Type // element types it takes
	MaxRanks     int          // 0 is without a limit
	SingleServer bool         // the ranks must be in one server
}

// Computes reports whether element-wise ops and reductions compute in t.
func (m *Machine) Computes(t dtype.Type) bool { return contains(m.Compute, t) }

// Stores reports whether a tensor in device memory may have type t.
func (m *Machine) Stores(t dtype.Type) bool { return contains(m.Store, t) }

// Multiplies reports whether the matrix unit has the combination of types.
func (m *Machine) Multiplies(a, b, accumulator dtype.Type) bool {
	return contains(m.Matmuls, Matmul{a, b, accumulator})
}

// Memory finds a memory by name.
func (m *Machine) Memory(name string) (Memory, bool) {
	return find(m.Memories, func(x Memory) bool { return x.Name == name })
}

// Unit finds a kind of unit by name.
func (m *Machine) Unit(name string) (Unit, bool) {
	return find(m.Units, func(x Unit) bool { return x.Name == name })
}

// Rate finds the rate between two memories by their names.
func (m *Machine) Rate(from, to string) (Rate, bool) {
	return find(m.Rates, func(x Rate) bool { return x.From == from && x.To == to })
}

// Collective finds a collective by name; what is not found the machine does not have.
func (m *Machine) Collective(op string) (Collective, bool) {
	return find(m.Collectives, func(x Collective) bool { return x.Op == op })
}

// Takes reports whether the collective works on elements of type t between ranks ranks.
func (c Collective) Takes(t dtype.Type, ranks int) bool {
	return contains(c.Types, t) && (c.MaxRanks == 0 || ranks <= c.MaxRanks)
}

func contains[T comparable](list []T, want T) bool {
	_, ok := find(list, func(x T) bool { return x == want })
	return ok
}

func find[T any](list []T, matches func(T) bool) (T, bool) {
	for _, x := range list {
		if matches(x) {
			return x, true
		}
	}
	var zero T
	return zero, false
}
