package cost

import (
	"moge/ascend/fit"
	"moge/ascend/kernels"
	"moge/ir/dtype"
	"moge/ir/placement"
)

// Memory is what a step needs of a chip, bytes.
type Memory struct {
	Weights int64
	Cache   int64 // pages of keys and values of the step's sequences at their context
	Arena   int64 // activations of the step
	Reserve int64 // kept free of the model, see fit.Reserve
	Chip    int64 // what there is
}

// Total is what is needed.
func (m Memory) Total() int64 { return m.Weights + m.Cache + m.Arena + m.Reserve }

// Fits reports whether there is that much.
func (m Memory) Fits() bool { return m.Total() <= m.Chip }

// Memory is what a step in a placement needs of the fullest chip.
func (m *Machine) Memory(model *Model, p placement.Placement, s Step) Memory {
	return Memory{Weights: model.WeightBytes(p), Cache: model.CacheBytes(p, s),
		Arena: model.arenaBytes(p, s), Reserve: fit.Reserve, Chip: m.ChipBytes}
}

// WeightBytes is the weights of a rank, with scales, biases, and padded parts.
func (m *Model) WeightBytes(p placement.Placement) int64 {
	attn := int64(p.Attn.TP)
	q, kv := m.Heads*m.HeadDim/attn, m.KVHeads*m.HeadDim/attn
	layer := m.linearBytes(q+2*kv, m.Hidden, m.QKVBias) + m.linearBytes(m.Hidden, q, m.OutBias) +
		2*half*m.Hidden
	if m.HeadNorm {
		layer += 2 * half * m.HeadDim
	}
	sparse := m.Layers - m.DenseLayers
	total := m.Layers*layer + m.DenseLayers*m.mlpBytes(padded(m.DenseWidth, p.Shared.TP))
	if sparse > 0 {
		experts := m.Experts / int64(p.Experts.EP) * m.mlpBytes(padded(m.ExpertWidth, p.Experts.TP))
		router := half*m.Experts*m.Hidden + 4*m.Experts
		total += sparse * (experts + router)
		if m.SharedWidth > 0 {
			total += sparse * m.mlpBytes(padded(m.SharedWidth, p.Shared.TP))
		}
	}
	table := func(ways int) int64 {
		if ways == 1 {
			return half * m.Vocabulary * m.Hidden
		}
		_, rows := placement.Block(int(m.Vocabulary), ways, fractal)
		return half * int64(rows) * m.Hidden
	}
	return total + half*m.Hidden + table(p.EmbedTP) + table(p.HeadTP)
}

// linearBytes is [n,k] with a scale and maybe a bias, both f32, for each row of it.
func (m *Model) linearBytes(n, k int64, bias bool) int64 {
	bytes := m.Weights.Bytes(n * k)
	if m.Weights == dtype.I8 {
		bytes += 4 * n
	}
	if bias {
		bytes += 4 * n
	}
	return bytes
}

func (m *Model) mlpBytes(width int64) int64 {
	return m.linearBytes(2*width, m.Hidden, false) + m.linearBytes(m.Hidden, width, false)
}

// PositionBytes is the keys and values of a position on a rank, all layers.
func (m *Model) PositionBytes(p placement.Placement) int64 {
	return m.Layers * m.Cached.Bytes(2*m.KVHeads/int64(p.Attn.TP)*m.HeadDim)
}

// CacheBytes is whole pages for each sequence of the largest group of attention.
func (m *Model) CacheBytes(p placement.Placement, s Step) int64 {
	pages := ceilDiv(s.Context, kernels.PageRows)
	return ceilDiv(s.Sequences, int64(p.Attn.DP)) * pages * kernels.PageRows * m.PositionBytes(p)
}

// arenaBytes is the activations that live at once where most do: a layer's rows between two products of
// the experts or of the MLP, or around attention, beside the residual stream and the block's input.
func (m *Model) arenaBytes(p placement.Placement, s Step) int64 {
	l := s.over(p, Scattered)
	tp := int64(p.Attn.TP)
	attn := half * l.local * (2*m.Heads + 2*m.KVHeads) * m.HeadDim / tp
	rows := l.gathered(p.Shared)
	mlp := rows * (m.Hidden + half*padded(max(m.DenseWidth, m.SharedWidth), p.Shared.TP) + half*m.Hidden)
	if m.Experts > 0 {
		rows = l.gathered(p.Experts)
		slots := rows * m.PerToken / int64(p.Experts.EP)
		mlp = rows*m.Hidden + slots*half*(padded(m.ExpertWidth, p.Experts.TP)+m.Hidden)
	}
	return half*m.Hidden*l.shard + max(attn, mlp)
}
