package gate

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"moge/ascend/kernels"
	"moge/ir/dtype"
)

// rotary turns queries and keys, and writes keys and values into their pages.
func rotary(s kernels.RotarySpec, shapes Shapes, seed uint64) iter.Seq[*Case] {
	return func(yield func(*Case) bool) {
		for _, tokens := range shapes.counts(min(s.MaxTokens, s.MaxPages*kernels.PageRows)) {
			if !yield(rotaryCase(s, tokens, random(seed, uint64(tokens)))) {
				return
			}
		}
	}
}

// ropeTheta is the base of angles of Pangu Pro MoE, longest the number of its positions.
const (
	ropeTheta = 16000000
	longest   = 131072
)

// rotated is a rotary and its arguments.
type rotated struct {
	spec      kernels.RotarySpec
	qkv, rope []float32
	owner     []int // token of each place of the cache, -1 where there is none
}

func rotaryCase(s kernels.RotarySpec, tokens int, r *rand.Rand) *Case {
	pages := min(s.MaxPages, tokens/kernels.PageRows+2)
	k := &rotated{spec: s, qkv: normals(r, tokens*(s.Heads+2*s.KVHeads)*s.Dim, 2),
		owner: make([]int, pages*kernels.PageRows)}
	for i := range k.owner {
		k.owner[i] = -1
	}
	places := make([]int32, tokens*lanes)
	for token, at := range placesOf(r, len(k.owner), tokens) {
		k.owner[at] = token
		places[token*lanes], places[token*lanes+1] = int32(at/kernels.PageRows),
			int32(at%kernels.PageRows)
		k.rope = append(k.rope, ropeRow(s.Dim, r.IntN(longest))...)
	}
	return &Case{Name: fmt.Sprintf("%d tokens", tokens),
		Params: map[string]int{"tokens": tokens, "pages": pages},
		Tensors: map[string][]byte{"qkv": halves(k.qkv), "rope": floats(k.rope),
			"places": ints(places)},
		Fills: map[string]func([]byte){"keys": fillPages, "values": fillPages},
		Want: []Output{k.queries(tokens),
			k.cached("keys", func(token, head, i int) float32 {
				return k.turned(token, s.Heads+head, i)
			}),
			k.cached("values", func(token, head, i int) float32 {
				return k.head(token, s.Heads+s.KVHeads+head)[i]
			})}}
}

// placesOf is count different places of all, the last one the first of them.
func placesOf(r *rand.Rand, all, count int) []int {
	places := r.Perm(all)
	for i, at := range places {
		if at == all-1 {
			places[0], places[i] = places[i], places[0]
		}
	}
	return places[:count]
}

// ropeRow is cosines, then sines of the angles of a position.
func ropeRow(dim, position int) []float32 {
	row := make([]float32, dim)
	for i := range dim / 2 {
		angle := float64(position) * math.Pow(ropeTheta, -2*float64(i)/float64(dim))
		row[i], row[dim/2+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	return row
}

// before is element i of keys and of values before the launch.
func before(i int) float32 { return float32(i%2039-1019) / 64 }

func fillPages(to []byte) {
	xs := make([]float32, len(to)/2)
	for i := range xs {
		xs[i] = before(i)
	}
	dtype.Encode(dtype.F16, to, xs)
}

// head is a head of a token, before it is turned: those of queries first, then keys, then values.
func (k *rotated) head(token, head int) []float32 {
	return k.qkv[(token*(k.spec.Heads+2*k.spec.KVHeads)+head)*k.spec.Dim:][:k.spec.Dim]
}

// turned is an element of the IR's rotary, rounded to half: f32(lo·cos) - f32(hi·sin), then
// f32(hi·cos) + f32(lo·sin), both rounded.
func (k *rotated) turned(token, head, i int) float32 {
	x, rope, half := k.head(token, head), k.rope[token*k.spec.Dim:], k.spec.Dim/2
	if i < half {
		return asHalf(float32(x[i]*rope[i]) - float32(x[half+i]*rope[half+i]))
	}
	return asHalf(float32(x[i]*rope[i-half]) + float32(x[i-half]*rope[i]))
}

func (k *rotated) queries(tokens int) Output {
	s := k.spec
	return Output{Tensor: "q", Type: dtype.F16, Rows: tokens, Cols: s.Heads * s.Dim,
		Pitch: s.Heads * s.Dim, Why: "exact",
		Want: func(row, col int) (value, bound float64) {
			return float64(k.turned(row, col/s.Dim, col%s.Dim)), 0
		}}
}

// cached wants rows of tokens in the cache, and of all other places what was there before. Rows of
// the output are places, columns the heads; see kernels.Pages.
func (k *rotated) cached(tensor string, of func(token, head, i int) float32) Output {
	s := k.spec
	cols := s.KVHeads * s.Dim
	at := func(row, col int) int {
		page := row / kernels.PageRows
		return page*kernels.PageRows*cols + nzAt(kernels.PageRows, 16, row%kernels.PageRows, col)
	}
	return Output{Tensor: tensor, Type: dtype.F16, Rows: len(k.owner), Cols: cols, Pitch: cols,
		Why: "exact", At: at,
		Want: func(row, col int) (value, bound float64) {
			if token := k.owner[row]; token >= 0 {
				return float64(of(token, col/s.Dim, col%s.Dim)), 0
			}
			return float64(before(at(row, col))), 0
		}}
}
