package gate

import "moge/ir/dtype"

// Case is one execution of a kernel: its arguments, and what it must give.
type Case struct {
	Name    string            // what is special about it, as "17 tokens, one expert"
	Blocks  int               // cores to launch on; 0 for all of the chip
	Params  map[string]int    // by name, all of the kernel's
	Tensors map[string][]byte // inputs by name, as the device has them; what is missing is zeros
	// Fills are inputs that are too large to have twice: each writes the tensor, which is zeros
	// before, straight into the memory of the device.
	Fills map[string]func(to []byte)
	Want  []Output // every output and every tensor that is updated
	// Undefined says that some outputs stay unwritten, as those of experts without a row: findings
	// that only say so are none.
	Undefined bool
}

// Output is a row-major view of what one tensor must hold after the run. Elements outside of it are
// not looked at, unless ZeroPadding.
type Output struct {
	Tensor      string
	Type        dtype.Type // I8, I32, F16 or F32
	Rows, Cols  int
	Pitch       int  // elements from one row to the next
	ZeroPadding bool // columns from Cols to Pitch must be zero
	// At gives the position of an element in the tensor, nil for row·Pitch + col; of NZ tensors.
	At func(row, col int) int
	// Want is the value of an element and how far the result may be from it: 0 is equality. The
	// bound is derived; Why says from what, for the table. Several goroutines call it at once, for
	// different rows.
	Want func(row, col int) (value, bound float64)
	Why  string
	// Settle, if not nil, is called with each element before Want is: where the bounds leave a
	// kernel several choices, what is wanted of it and of the outputs after it follows the one that
	// it made, if it is one of them.
	Settle func(row, col int, got float64)
}
