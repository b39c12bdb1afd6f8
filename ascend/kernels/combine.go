package kernels

import "moge/ascend/kernel"

// DispatchSpec describes the permutation of quantized rows to the order of experts.
type DispatchSpec struct {
	Name      string
	Width     int // H: a multiple of 32
	PerToken  int // K
	MaxTokens int
	Static    bool // rows have no scales of their own
}

// Dispatch copies the int8 row and the scale of each slot's token to its sorted row.
//
// Arguments: q int8 [T, H] and, unless Static, scale f32 RowScales(T); sources i32 Indices(T·K), as
// Route gives them; rows int8 [T·K, H] and, unless Static, rowScale f32 RowScales(T·K); tokens = T.
// Numerics: exact.
//
// Work: eight rows, those of a block of sources, are a unit.
func Dispatch(s DispatchSpec) (*kernel.Kernel, error) {
	c := specCheck{kernel: s.Name}
	c.multiple("Width", s.Width, 32)
	c.between("PerToken", s.PerToken, 1, lanes)
	c.between("MaxTokens", s.MaxTokens, 1, maxTokens)
	if c.err != nil {
		return nil, c.err
	}
	k := kernel.New(s.Name, s.doc())
	tokens := k.Param("tokens", 1, s.MaxTokens)
	slots := tokens.MulN(s.PerToken)
	moves := []*rowMove{{k: k, from: k.Input("q", kernel.I8, kernel.Matrix(tokens, s.Width))}}
	if !s.Static {
		moves = append(moves, &rowMove{k: k, from: k.Input("scale", kernel.F32, RowScales(tokens))})
	}
	sources := k.Input("sources", kernel.I32, Indices(slots))
	for i, m := range moves {
		m.declare([]string{"rows", "rowScale"}[i], []string{"row", "one"}[i], slots)
	}
	sourceTiles := k.Ring("sourceTile", 2, kernel.VecTile(kernel.I32, 1, lanes))
	k.Units("block", slots.CeilDiv(lanes), func(u kernel.Int) {
		source := sourceTiles.Next()
		k.Load(source, sources.Rows(u, n(1)))
		first := k.Let("first", u.MulN(lanes))
		k.For("i", n(0), slots.Sub(first).MinN(lanes), 1, func(i kernel.Int) {
			t := k.ReadInt("token", at(source, i), n(0), tokens.SubN(1))
			for _, m := range moves {
				m.move(t, first.Add(i))
			}
		})
	})
	return k.Build()
}

func (s DispatchSpec) doc() string {
	if s.Static {
		return "rows[T*K, H] = q of the token of each sorted row."
	}
	return "rows[T*K, H], rowScale = q, scale of the token of each sorted row."
}

// rowMove copies rows of one tensor to another.
type rowMove struct {
	k        *kernel.Builder
	from, to *kernel.Global
	ring     *kernel.Ring
}

// declare makes the tensor of so many rows, and what they pass through.
func (m *rowMove) declare(to, ring string, rows kernel.Int) {
	cols := m.from.Shape.Cols
	m.to = m.k.Output(to, m.from.Elem, kernel.Matrix(rows, cols))
	m.ring = m.k.Ring(ring, 4, kernel.VecTile(m.from.Elem, 1, cols))
}

func (m *rowMove) move(from, to kernel.Int) {
	t := m.ring.Next()
	m.k.Load(t, m.from.Rows(from, n(1)))
	m.k.Store(m.to.Rows(to, n(1)), t)
}

// CombineSpec describes the weighted sum of the experts' rows of each token.
type CombineSpec struct {
	Name      string
	Width     int // H: a multiple of 16
	PerToken  int // K
	MaxTokens int
	Ascending bool // as of the route
	Shared    bool // add the output of the shared expert, unweighted, last
}

// Combine sums the rows of each token, weighted.
//
// Arguments: rows half [T·K, H]; places i32 TokenRows(T, K) and without Ascending picks, as Route
// gives them; weights f32 TokenRows(T, K); with Shared shared half [T, H]; out half [T, H];
// tokens = T.
//
// Numerics: as the IR's combine: in f32 from 0, rows ascending, each product and each sum
// rounded; then the shared row; one rounding to half. The steps are the interpreter's, and the
// bits too.
//
// Work: a token is a unit; its rows go through a ring of two.
func Combine(s CombineSpec) (*kernel.Kernel, error) {
	c := specCheck{kernel: s.Name}
	c.multiple("Width", s.Width, 16)
	c.between("PerToken", s.PerToken, 1, lanes)
	c.between("MaxTokens", s.MaxTokens, 1, maxTokens)
	if c.err != nil {
		return nil, c.err
	}
	k := &combine{spec: s, Builder: kernel.New(s.Name,
		"out[T, H] = sum of rows[places[T, K]] * weights[T, K], half; float inside.")}
	k.tensors()
	k.tiles()
	k.Units("token", k.tokens, k.token)
	return k.Build()
}

type combine struct {
	*kernel.Builder
	spec          CombineSpec
	tokens, slots kernel.Int

	rows, places, picks, weights, shared, out *kernel.Global

	rowRing, placeRing, pickRing, weightRing, outRing *kernel.Ring
}

func (k *combine) tensors() {
	s := k.spec
	k.tokens = k.Param("tokens", 1, s.MaxTokens)
	k.slots = k.tokens.MulN(s.PerToken)
	k.rows = k.Input("rows", kernel.F16, kernel.Matrix(k.slots, s.Width))
	k.places = k.Input("places", kernel.I32, TokenRows(k.tokens, s.PerToken))
	if !s.Ascending {
		k.picks = k.Input("picks", kernel.I32, TokenRows(k.tokens, s.PerToken))
	}
	k.weights = k.Input("weights", kernel.F32, TokenRows(k.tokens, s.PerToken))
	if s.Shared {
		k.shared = k.Input("shared", kernel.F16, kernel.Matrix(k.tokens, s.Width))
	}
	k.out = k.Output("out", kernel.F16, kernel.Matrix(k.tokens, s.Width))
}

func (k *combine) tiles() {
	half, block := kernel.VecTile(kernel.F16, 1, k.spec.Width), kernel.VecTile(kernel.I32, 1, lanes)
	k.rowRing = k.Ring("row", 2, half)
	k.placeRing = k.Ring("place", 2, block)
	if !k.spec.Ascending {
		k.pickRing = k.Ring("pick", 2, block)
	}
	k.weightRing = k.Ring("weight", 2, kernel.VecTile(kernel.F32, 1, lanes))
	k.outRing = k.Ring("outTile", 2, half)
}

func (k *combine) token(u kernel.Int) {
	place, weight := k.placeRing.Next(), k.weightRing.Next()
	k.Load(place, k.places.Rows(u, n(1)))
	k.Load(weight, k.weights.Rows(u, n(1)))
	var pick kernel.Tile
	if !k.spec.Ascending {
		pick = k.pickRing.Next()
		k.Load(pick, k.picks.Rows(u, n(1)))
	}
	sum := k.Tile("sum", kernel.VecTile(kernel.F32, 1, k.spec.Width))
	k.Fill(sum, kernel.F(0))
	k.For("i", n(0), n(k.spec.PerToken), 1, func(i kernel.Int) {
		r := k.ReadInt("rowAt", at(place, i), n(0), k.slots.SubN(1))
		j := i
		if !k.spec.Ascending {
			j = k.ReadInt("j", at(pick, i), n(0), n(k.spec.PerToken-1))
		}
		w := k.ReadFloat("w", at(weight, j))
		k.addRow(sum, k.rows.Rows(r, n(1)), &w)
	})
	if k.spec.Shared {
		k.Note("the shared expert, unweighted")
		k.addRow(sum, k.shared.Rows(u, n(1)), nil)
	}
	out := k.outRing.Next()
	k.Cast(out, sum, kernel.Nearest)
	k.Store(k.out.Rows(u, n(1)), out)
}

// addRow adds a row of halves, times w if there is one, in f32.
func (k *combine) addRow(sum kernel.Tile, row kernel.Region, w *kernel.Float) {
	x, wide := k.rowRing.Next(), k.Tile("wide", kernel.VecTile(kernel.F32, 1, k.spec.Width))
	k.Load(x, row)
	k.Cast(wide, x, kernel.Exact)
	if w != nil {
		k.Muls(wide, wide, *w)
	}
	k.Add(sum, sum, wide)
}
