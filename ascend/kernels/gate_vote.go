package kernels

import "moge/ascend/kernel"

// dropped is the probability of an expert that was voted out: below that of every one that is kept,
// also when all of those are 0.
const dropped = -1

// voted is the gate with votes: every unit leaves its probabilities and the votes of its tokens;
// when all cores have, each adds up the votes and chooses among the experts kept.
func (k *gate) voted() {
	units := k.tokens.CeilDiv(gateTokens)
	k.probs = k.Scratch("probs", kernel.F32,
		kernel.Matrix(units.MulN(k.size), k.cols*gateTokens))
	k.votes = k.Scratch("votes", kernel.I32, kernel.Matrix(units, k.size*k.cols))
	k.Phase("probabilities and votes", func() {
		k.toProbabilities()
		k.eachUnit(k.vote)
	})
	k.SyncAll()
	k.Phase("choice among the experts kept", func() {
		k.p = k.Tile("kept", k.slabs(k.size))
		k.turning()
		k.toResults()
		keys, least := k.keys(units), k.Tile("least", k.slabs(1))
		k.leastKept(least, keys)
		k.eachUnit(func(u, from, count kernel.Int) {
			k.Load(k.p, k.probs.Rows(u.MulN(k.size), n(k.size)))
			k.drop(keys, least)
			best, pick, scale := k.choose(k.spec.Scale)
			k.store(from, count, best, pick, scale)
		})
	})
}

// vote stores a unit's probabilities, and how many tokens would choose each local expert.
func (k *gate) vote(u, from, count kernel.Int) {
	k.probabilities(from, count)
	k.Store(k.probs.Rows(u.MulN(k.size), n(k.size)), k.p)
	_, pick, _ := k.choose(false)
	winners := k.Tile("winners", kernel.VecTile(kernel.I32, gateTokens, k.cols))
	k.turn(winners, pick)
	k.Note("votes of the unit's tokens")
	counts := k.Tile("counts", kernel.VecTile(kernel.I32, 1, k.size*k.cols))
	k.Fill(counts, kernel.F(0))
	k.For("t", n(0), count, 1, func(t kernel.Int) {
		k.eachGroup(func(g kernel.Int) {
			j := k.ReadInt("winner", element(winners, t, g), n(0), n(k.size-1))
			votes := at(counts, j.MulN(k.cols).Add(g))
			k.WriteInt(votes, k.ReadInt("before", votes, n(0), n(gateTokens-1)).AddN(1))
		})
	})
	k.Store(k.votes.Rows(u, n(1)), counts)
}

// keys is, as slabs, a number for each local expert that orders those of a group by votes, the
// lower index first among equals: whole numbers, exact in f32.
func (k *gate) keys(units kernel.Int) kernel.Tile {
	k.Note("votes of all units, as keys: votes * group size, less the index in the group")
	most := (k.spec.MaxTokens + gateTokens - 1) / gateTokens
	counts := k.Tile("unitCounts", kernel.VecTile(kernel.I32, most, k.size*k.cols))
	k.Load(counts.Head(units), k.votes.All())
	sum := counts.At(n(0))
	k.For("u", n(1), units, 1, func(u kernel.Int) { k.Add(sum, sum, counts.At(u)) })
	keys := k.Tile("keys", k.slabs(k.size))
	k.Fill(keys, kernel.F(0))
	k.eachExpert(func(g, j, _ kernel.Int) {
		votes := k.ReadInt("voted", at(sum, j.MulN(k.cols).Add(g)), n(0), k.tokens)
		key := votes.MulN(k.size).AddN(k.size - 1).Sub(j)
		k.Fill(k.groupOf(keys, j, g), kernel.FloatOf(key))
	})
	return keys
}

// leastKept finds the key of rank VoteKeep in each group: the greatest of what is left, so many
// times.
func (k *gate) leastKept(least, keys kernel.Tile) {
	k.Note("least key that is kept")
	left, folded := k.Tile("left", k.slabs(k.size)), k.Tile("foldedKeys", k.slabs(k.size))
	mask := k.Tile("leftMask", k.maskRow())
	k.Move(left, keys)
	k.For("rank", n(0), n(k.spec.VoteKeep), 1, func(kernel.Int) {
		k.Move(folded, left)
		fold(folded, k.size, k.Max)
		k.Move(least, folded.At(n(0)))
		k.For("j", n(0), n(k.size), 1, func(j kernel.Int) {
			k.Compare(mask, left.At(j), least, kernel.Less)
			k.Selects(left.At(j), mask, left.At(j), kernel.F(-1))
		})
	})
}

// drop takes the experts that were voted out from the choice.
func (k *gate) drop(keys, least kernel.Tile) {
	mask := k.Tile("keptMask", k.maskRow())
	k.For("j", n(0), n(k.size), 1, func(j kernel.Int) {
		k.Compare(mask, keys.At(j), least, kernel.GreaterEqual)
		k.Selects(k.p.At(j), mask, k.p.At(j), kernel.F(dropped))
	})
}
