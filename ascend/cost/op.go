package cost

import (
	"moge/ascend/kernel"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// Kind is what an op does.
type Kind string

// The kinds of ops.
const (
	Embed         Kind = "embed"
	Rows          Kind = "take rows"
	Norm          Kind = "norm"
	Quantize      Kind = "quantize"
	Product       Kind = "product"
	Grouped       Kind = "grouped product"
	Rotary        Kind = "rotary"
	CacheWrite    Kind = "cache write"
	Attention     Kind = "attention"
	Gate          Kind = "gate"
	Route         Kind = "route"
	Permute       Kind = "permute"
	SwiGLU        Kind = "swiglu"
	Combine       Kind = "combine"
	Elementwise   Kind = "elementwise"
	AllGather     Kind = "all gather"
	ReduceScatter Kind = "reduce scatter"
	AllReduce     Kind = "all reduce"
)

// Collective reports whether ranks talk.
func (k Kind) Collective() bool { return k == AllGather || k == ReduceScatter || k == AllReduce }

// Op is one operation of the busiest rank, and how often it occurs in a step.
type Op struct {
	Kind   Kind
	Site   string // with N for the number of the layer
	Repeat int64  // in so many layers
	From   int64  // the first of these

	Rows, N, K int64      // of a product: [Rows,K] x [N,K]; of others rows and width
	DType      dtype.Type // of the operands of the matrix unit

	Weights int64 // bytes read
	Cache   int64 // bytes of keys and values, read or written
	Acts    int64 // bytes of activations, read and written
	Mail    int64 // bytes that pass from matrix to vector units and back where these are split
	MACs    int64 // multiply-adds, padded to the unit's shape
	Vector  int64 // elements times the calls that each passes through

	Group placement.Group // of a collective
	Sent  int64           // bytes that a rank sends to others in it

	Calls   int64 // launches when every op is one, as frameworks run it
	Kernels int64 // launches of this project's kernels, which do some ops inside others
}

// Calls of the vector unit that an element passes through, by the definitions of the ops (ir/SPEC.md).
const (
	normCalls     = 5 // add, square, sum, scale, weight
	quantizeCalls = 4 // magnitude, maximum, scale, round
	drainCalls    = 4 // widen, scale of the column, scale of the row, narrow
	rotaryCalls   = 3 // two products and a sum
	softmaxCalls  = 6 // scale, maximum, subtract, exponential, sum, narrow
	swigluCalls   = 6 // negate, exponential, add, divide, product, narrow
	combineCalls  = 2 // weight, add
	gateCalls     = 8 // Calls of an unfused gate: its expansion of primitives
)

// fractal is the rows that the matrix unit multiplies at once.
const fractal = kernel.FractalRows

// half is the bytes of an activation that is not int8: what cards store.
const half = 2

func roundUp(n, multiple int64) int64 { return (n + multiple - 1) / multiple * multiple }

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

func embedding(site string, rows, width int64) Op {
	return Op{Kind: Embed, Site: site, Rows: rows, N: width, Weights: rows * width * half,
		Acts: rows * width * half, Calls: 1, Kernels: 1}
}

func takeRows(site string, rows, width int64) Op {
	return Op{Kind: Rows, Site: site, Rows: rows, N: width, Acts: 2 * rows * width * half, Calls: 1,
		Kernels: 1}
}

// norm adds first when it reads two tensors; it then writes the sum too.
func norm(site string, rows, width int64, add bool) Op {
	tensors := int64(2)
	if add {
		tensors = 4
	}
	return Op{Kind: Norm, Site: site, Rows: rows, N: width, Weights: width * half,
		Acts: tensors * rows * width * half, Vector: normCalls * rows * width, Calls: 1, Kernels: 1}
}

// quantize is done where rows are made or read; launched alone it is one op.
func quantize(site string, rows, width int64) Op {
	return Op{Kind: Quantize, Site: site, Rows: rows, N: width, Acts: rows * width * (half + 1),
		Vector: quantizeCalls * rows * width, Calls: 1}
}

// product is [rows,k] x [n,k], with a scale for each column where weights are int8.
func product(site string, rows, n, k int64, d dtype.Type, bias bool) Op {
	o := Op{Kind: Product, Site: site, Rows: rows, N: n, K: k, DType: d, Weights: d.Bytes(n * k),
		Acts: d.Bytes(rows*k) + half*rows*n, Mail: 8 * rows * n, MACs: roundUp(rows, fractal) * n * k,
		Vector: drainCalls * rows * n, Calls: 1, Kernels: 1}
	if d == dtype.I8 {
		o.Weights += 4 * n
	}
	if bias {
		o.Weights, o.Vector = o.Weights+half*n, o.Vector+rows*n
	}
	return o
}

// grouped is a product whose rows belong to experts, of which touched have any.
func grouped(site string, rows int64, touched float64, n, k int64, d dtype.Type) Op {
	o := product(site, rows, n, k, d, false)
	o.Kind = Grouped
	o.Weights = int64(touched * float64(o.Weights))
	// Rows of an expert are any number: rounding up adds (fractal-1)/2 on average, and makes at least
	// a fractal.
	padded := max(float64(rows)+touched*(fractal-1)/2, touched*fractal)
	o.MACs = int64(padded) * n * k
	return o
}

func rotary(site string, rows, heads, dim int64, main bool) Op {
	o := Op{Kind: Rotary, Site: site, Rows: rows, N: heads * dim, Acts: 2 * half * rows * heads * dim,
		Vector: rotaryCalls * rows * heads * dim, Calls: 1}
	if main {
		o.Kernels = 1
	}
	return o
}

func cacheWrite(site string, rows, heads, dim int64, d dtype.Type) Op {
	return Op{Kind: CacheWrite, Site: site, Rows: rows, N: heads * dim, Acts: half * rows * heads * dim,
		Cache: d.Bytes(rows * heads * dim), Calls: 1}
}

// attended is the shape of an attention: of each sequence, fresh tokens up to position context.
type attended struct {
	sequences, fresh, context int64
	heads, kv, dim            int64
	cache                     dtype.Type
}

// scores is how many positions the tokens of a sequence look at: each at all before it and itself.
func (a attended) scores() int64 {
	return a.fresh * (2*a.context - a.fresh + 1) / 2
}

// attention reads each sequence's keys and values once; the query heads that share a key head are
// multiplied together, as rows.
func attention(site string, a attended) Op {
	scores := a.sequences * a.scores()
	perKV := a.heads / a.kv
	rows := float64(roundUp(perKV*a.fresh, fractal)) / float64(perKV*a.fresh)
	return Op{Kind: Attention, Site: site, Rows: a.sequences * a.fresh, N: a.heads * a.dim, K: a.context,
		DType:  dtype.F16,
		Cache:  a.cache.Bytes(2 * a.sequences * a.context * a.kv * a.dim),
		Acts:   2 * half * a.sequences * a.fresh * a.heads * a.dim,
		Mail:   12 * scores * a.heads,
		MACs:   int64(2 * rows * float64(scores*a.heads*a.dim)),
		Vector: softmaxCalls * scores * a.heads, Calls: 1, Kernels: 1}
}

func gate(site string, rows, experts, width, calls int64) Op {
	o := product(site, rows, experts, width, dtype.F16, false)
	o.Kind, o.Calls = Gate, calls
	o.Vector += softmaxCalls * rows * experts
	return o
}

func route(site string, slots int64) Op {
	return Op{Kind: Route, Site: site, Rows: slots, Acts: 3 * 4 * slots, Vector: slots, Calls: 1,
		Kernels: 1}
}

// permute moves rows of elements of so many bytes; their scales go with them.
func permute(site string, rows, width, bytes int64) Op {
	o := Op{Kind: Permute, Site: site, Rows: rows, N: width, Acts: 2 * rows * width * bytes, Calls: 1}
	if width > 1 {
		o.Kernels = 1
	}
	return o
}

func swiglu(site string, rows, width int64) Op {
	return Op{Kind: SwiGLU, Site: site, Rows: rows, N: width, Acts: 3 * half * rows * width,
		Vector: swigluCalls * rows * width, Calls: 1}
}

// combine sums rows of experts into those of tokens.
func combine(site string, slots, tokens, width int64) Op {
	return Op{Kind: Combine, Site: site, Rows: slots, N: width, Acts: half * width * (slots + tokens),
		Vector: combineCalls * slots * width, Calls: 1, Kernels: 1}
}

// add is inside combine where it adds the shared expert.
func add(site string, rows, width int64, inside bool) Op {
	o := Op{Kind: Elementwise, Site: site, Rows: rows, N: width, Acts: 3 * half * rows * width,
		Vector: rows * width, Calls: 1}
	if !inside {
		o.Kernels = 1
	}
	return o
}

// collective moves rows: the whole is what all ranks of the group have together at the side where it
// is largest, bytes. Around a ring, and to each other, a rank sends the same.
func collective(kind Kind, site string, g placement.Group, rows, width, bytes int64) Op {
	whole := rows * width * bytes
	sent := whole / int64(g.Size) * int64(g.Size-1)
	if kind == AllReduce {
		sent *= 2
	}
	return Op{Kind: kind, Site: site, Rows: rows, N: width, Acts: whole, Group: g, Sent: sent, Calls: 1,
		Kernels: 1}
}
