package kernels

import "moge/ascend/kernel"

// RouteSpec describes the sorting of a layer's rows by expert.
type RouteSpec struct {
	Name      string
	Experts   int // of the rank
	PerToken  int // K, experts of a token
	MaxTokens int // at most 1536
	// Ascending says that the ids of every token ascend, as those of grouped gating do; then the
	// picks need not be sorted.
	Ascending bool
}

// Route sorts the slots t·K + j of all tokens by expert, equal ones by slot: a counting sort.
//
// Arguments: ids i32 TokenRows(T, K), below Experts, which the host need not check when a gate
// made them; order i32 Indices(T·K), the slot of each sorted row; sources i32 Indices(T·K), the
// token of each sorted row; offsets i32 Indices(E+1), the first row of each expert; places i32
// TokenRows(T, K), the rows of a token in ascending order; without Ascending picks i32
// TokenRows(T, K), which j each of these rows is of; tokens = T. Elements that pad a block are 0.
// Integers, exact.
//
// Work: the scalar unit of one core, two or three passes over the slots. Nothing is stored but
// whole blocks.
func Route(s RouteSpec) (*kernel.Kernel, error) {
	c := specCheck{kernel: s.Name}
	c.between("Experts", s.Experts, 1, 1024)
	c.between("PerToken", s.PerToken, 1, lanes)
	c.between("MaxTokens", s.MaxTokens, 1, 1536)
	if c.err != nil {
		return nil, c.err
	}
	k := &route{spec: s, Builder: kernel.New(s.Name,
		"order, sources, offsets, places = stable sort of the slots of ids[T, K] by expert.")}
	k.tensors()
	k.Units("all", n(1), func(kernel.Int) { k.sort() })
	return k.Build()
}

type route struct {
	*kernel.Builder
	spec          RouteSpec
	tokens, slots kernel.Int

	ids, order, sources, offsets, places, picks *kernel.Global

	idTile, orderTile, sourceTile, next, placeTile, pickTile kernel.Tile
}

func (k *route) tensors() {
	s := k.spec
	k.tokens = k.Param("tokens", 1, s.MaxTokens)
	k.slots = k.tokens.MulN(s.PerToken)
	k.ids = k.Input("ids", kernel.I32, TokenRows(k.tokens, s.PerToken))
	k.order = k.Output("order", kernel.I32, Indices(k.slots))
	k.sources = k.Output("sources", kernel.I32, Indices(k.slots))
	k.offsets = k.Output("offsets", kernel.I32, Indices(n(s.Experts+1)))
	k.places = k.Output("places", kernel.I32, TokenRows(k.tokens, s.PerToken))
	if !s.Ascending {
		k.picks = k.Output("picks", kernel.I32, TokenRows(k.tokens, s.PerToken))
	}
}

// sort is the one unit. Packed vectors lie in tiles of one block a row, so that element (0, i) is
// element i.
func (k *route) sort() {
	s := k.spec
	perToken := kernel.VecTile(kernel.I32, s.MaxTokens, lanes)
	perRow := kernel.VecTile(kernel.I32, (s.MaxTokens*s.PerToken+lanes-1)/lanes, lanes)
	k.idTile = k.Tile("idTile", perToken)
	k.Load(k.idTile.Head(k.tokens), k.ids.All())
	k.next = k.zeros("next", kernel.VecTile(kernel.I32, (s.Experts+lanes)/lanes, lanes))
	k.count()
	k.orderTile, k.sourceTile = k.zeros("orderTile", perRow), k.zeros("sourceTile", perRow)
	k.placeTile = k.zeros("placeTile", perToken)
	k.scatter()
	if !s.Ascending {
		k.pickTile = k.zeros("pickTile", perToken)
		k.sortPicks()
		k.Store(k.picks.All(), k.pickTile.Head(k.tokens))
	}
	k.Store(k.order.All(), k.orderTile.Head(k.order.Shape.Rows))
	k.Store(k.sources.All(), k.sourceTile.Head(k.order.Shape.Rows))
	k.Store(k.places.All(), k.placeTile.Head(k.tokens))
}

func (k *route) zeros(name string, ty kernel.TileType) kernel.Tile {
	t := k.Tile(name, ty)
	k.Fill(t, kernel.F(0))
	return t
}

// at is element i of a packed vector.
func at(t kernel.Tile, i kernel.Int) kernel.Tile { return element(t, n(0), i) }

// eachSlot visits token t, pick j and the expert of every slot.
func (k *route) eachSlot(f func(t, j, expert kernel.Int)) {
	k.For("t", n(0), k.tokens, 1, func(t kernel.Int) {
		k.For("j", n(0), n(k.spec.PerToken), 1, func(j kernel.Int) {
			f(t, j, k.ReadInt("expert", element(k.idTile, t, j), n(0), n(k.spec.Experts-1)))
		})
	})
}

// count leaves the first row of each expert in next, and stores these offsets.
func (k *route) count() {
	k.Note("next[e + 1] = slots of expert e")
	most := n(k.spec.MaxTokens * k.spec.PerToken)
	k.eachSlot(func(_, _, e kernel.Int) {
		counter := at(k.next, e.AddN(1))
		k.WriteInt(counter, k.ReadInt("seen", counter, n(0), most).AddN(1))
	})
	k.Note("next[e] = slots of experts below e")
	k.For("e", n(0), n(k.spec.Experts), 1, func(e kernel.Int) {
		below := k.ReadInt("below", at(k.next, e), n(0), most)
		here := at(k.next, e.AddN(1))
		k.WriteInt(here, k.ReadInt("own", here, n(0), most).Add(below))
	})
	copied := k.Tile("offsetTile", kernel.VecTile(kernel.I32, (k.spec.Experts+lanes)/lanes, lanes))
	k.Move(copied, k.next)
	k.Store(k.offsets.All(), copied)
}

// scatter puts every slot into the next row of its expert.
func (k *route) scatter() {
	k.Note("order[row] = slot, sources[row] = token, row by row of each expert")
	k.eachSlot(func(t, j, e kernel.Int) {
		next := at(k.next, e)
		row := k.ReadInt("row", next, n(0), k.slots.SubN(1))
		k.WriteInt(next, row.AddN(1))
		k.WriteInt(at(k.orderTile, row), t.MulN(k.spec.PerToken).Add(j))
		k.WriteInt(at(k.sourceTile, row), t)
		if k.spec.Ascending {
			k.WriteInt(element(k.placeTile, t, j), row)
		}
	})
}

// sortPicks lists the rows of each token in ascending order, by one pass over the rows.
func (k *route) sortPicks() {
	k.Note("places[t] = rows of token t, ascending; picks[t] = their j")
	s := k.spec
	filled := k.zeros("filled", kernel.VecTile(kernel.I32, (s.MaxTokens+lanes-1)/lanes, lanes))
	k.For("r", n(0), k.slots, 1, func(r kernel.Int) {
		t := k.ReadInt("token", at(k.sourceTile, r), n(0), k.tokens.SubN(1))
		slot := k.ReadInt("slot", at(k.orderTile, r), n(0), k.slots.SubN(1))
		place := k.ReadInt("place", at(filled, t), n(0), n(s.PerToken-1))
		k.WriteInt(at(filled, t), place.AddN(1))
		k.WriteInt(element(k.placeTile, t, place), r)
		k.WriteInt(element(k.pickTile, t, place), slot.Sub(t.MulN(s.PerToken)))
	})
}
