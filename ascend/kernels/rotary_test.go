package kernels

import (
	"math"
	"math/rand/v2"
	"testing"
)

var testRotaries = []RotarySpec{
	{Name: "rotary_small", Heads: 4, KVHeads: 2, Dim: 16, MaxTokens: 64, MaxPages: 4},
	{Name: "rotary_odd", Heads: 3, KVHeads: 1, Dim: 48, MaxTokens: 64, MaxPages: 4},
	{Name: "rotary_true", Heads: 40, KVHeads: 8, Dim: 128, MaxTokens: 1025, MaxPages: 8191},
}

type rotaryCase struct {
	*launch
	spec          RotarySpec
	tokens, pages int
	qkv, rope     []float32
	keys, values  []float32 // before
	places        []int32
}

func newRotaryCase(s RotarySpec, tokens int, seed uint64) *rotaryCase {
	r := rand.New(rand.NewPCG(seed, 3))
	const pages = 3
	c := &rotaryCase{spec: s, tokens: tokens, pages: pages}
	const last = pages*PageRows - 1
	for _, p := range r.Perm(last)[:tokens] {
		c.places = append(c.places, int32(p))
	}
	c.places[0] = last
	c.qkv = normals(seed, tokens*s.heads()*s.Dim, 2)
	for range tokens {
		row := make([]float32, s.Dim)
		for i := range s.Dim / 2 {
			angle := r.Float64() * 100
			row[i], row[s.Dim/2+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
		c.rope = append(c.rope, row...)
	}
	c.keys = normals(seed+9, pages*PageRows*s.KVHeads*s.Dim, 1)
	c.values = normals(seed+10, len(c.keys), 1)
	c.launch = &launch{kernel: s.Name, seed: seed,
		params: map[string]int{"tokens": tokens, "pages": pages},
		tensors: map[string][]byte{
			"qkv": halves(c.qkv), "rope": floats(c.rope), "places": ints(c.placeRows()),
			"keys": halves(c.keys), "values": halves(c.values)}}
	return c
}

// placeRows is page and position of each token, in rows of a block.
func (c *rotaryCase) placeRows() []int32 {
	out := make([]int32, c.tokens*lanes)
	for i, p := range c.places {
		out[i*lanes], out[i*lanes+1] = p/PageRows, p%PageRows
	}
	return out
}

// turned is the IR's rotary of one head, rounded to half: exact bits, since the kernel takes the
// same steps.
func (c *rotaryCase) turned(token, head int) []float32 {
	s := c.spec
	x := c.qkv[(token*s.heads()+head)*s.Dim:][:s.Dim]
	cos, sin := c.rope[token*s.Dim:][:s.Dim/2], c.rope[token*s.Dim+s.Dim/2:][:s.Dim/2]
	out := make([]float32, s.Dim)
	for i := range s.Dim / 2 {
		lo, hi := x[i], x[s.Dim/2+i]
		out[i] = asHalf(float32(lo*cos[i]) - float32(hi*sin[i]))
		out[s.Dim/2+i] = asHalf(float32(hi*cos[i]) + float32(lo*sin[i]))
	}
	return out
}

// pageAt is the index of element i of a head at a place, by the layout
// [page][head][dim/16][256][16].
func (c *rotaryCase) pageAt(place, head, i int) int {
	s := c.spec
	page, row := place/PageRows, place%PageRows
	return (((page*s.KVHeads+head)*(s.Dim/16)+i/16)*PageRows+row)*16 + i%16
}

func (c *rotaryCase) check(t *testing.T) {
	t.Helper()
	s := c.spec
	q := c.halves("q")
	for token := range c.tokens {
		for h := range s.Heads {
			for i, want := range c.turned(token, h) {
				if got := q[(token*s.Heads+h)*s.Dim+i]; got != want {
					t.Fatalf("%s: q[%d, %d, %d] = %v, want %v", s.Name, token, h, i, got, want)
				}
			}
		}
		for h := range s.KVHeads {
			value := c.qkv[(token*s.heads()+s.Heads+s.KVHeads+h)*s.Dim:][:s.Dim]
			for i, want := range c.turned(token, s.Heads+h) {
				at := c.pageAt(int(c.places[token]), h, i)
				c.keys[at], c.values[at] = want, value[i]
			}
		}
	}
	for _, p := range []struct {
		name string
		want []float32
	}{{"keys", c.keys}, {"values", c.values}} {
		for i, got := range c.halves(p.name) {
			if got != p.want[i] {
				t.Fatalf("%s: %s[%d] = %v, want %v", s.Name, p.name, i, got, p.want[i])
			}
		}
	}
}

func TestRotary(t *testing.T) {
	r := newRig(t, 64, all(t, Rotary, testRotaries)...)
	for _, s := range testRotaries {
		counts := tokenCounts
		if s.Dim == 128 {
			counts = []int{1, 17}
		}
		for i, tokens := range counts {
			c := newRotaryCase(s, tokens, uint64(1+i%2))
			r.run(c.launch)
			c.check(t)
		}
	}
}

func TestRotarySpecs(t *testing.T) {
	for _, c := range []struct {
		spec RotarySpec
		want string
	}{
		{RotarySpec{Name: "a", Heads: 1, KVHeads: 1, Dim: 24, MaxTokens: 1, MaxPages: 1},
			"kernel a: Dim is 24, must be a positive multiple of 16"},
		{RotarySpec{Name: "a", Heads: 1, KVHeads: 1, Dim: 256, MaxTokens: 1, MaxPages: 1},
			"kernel a: Dim is 256, must be 16 to 128"},
		{RotarySpec{Name: "a", Heads: 8, KVHeads: 8, Dim: 128, MaxTokens: 1, MaxPages: 9000},
			"kernel a: MaxPages is 9000, must be 1 to 8191"},
		{RotarySpec{Name: "a", Heads: 1, KVHeads: 0, Dim: 16, MaxTokens: 1, MaxPages: 1},
			"kernel a: KVHeads is 0, must be 1 to 128"},
	} {
		if _, err := Rotary(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
