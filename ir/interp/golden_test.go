package interp

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
	"moge/ir/tensor"
)

// checkpoint reads whole safetensors files; enough for the small ones of the tests.
type checkpoint map[string]*tensor.Tensor

func (c checkpoint) Weight(name string) (*tensor.Tensor, error) {
	if t := c[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("is not in the checkpoint")
}

func (c checkpoint) load(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head := 8 + binary.LittleEndian.Uint64(raw)
	var entries map[string]struct {
		DType   string    `json:"dtype"`
		Shape   []int64   `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw[8:head], &entries); err != nil {
		t.Fatal(err)
	}
	for name, e := range entries {
		if name == "__metadata__" {
			continue
		}
		data := raw[head+e.Offsets[0] : head+e.Offsets[1]]
		d, err := dtype.ParseSafetensors(e.DType)
		if d == dtype.I64 {
			d, data = dtype.I32, narrow(data)
		}
		if err == nil {
			c[name], err = tensor.FromBytes(d, e.Shape, data)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", file, name, err)
		}
	}
}

// narrow keeps the low halves of i64 ids.
func narrow(raw []byte) []byte {
	var out []byte
	for i := 0; i < len(raw); i += 8 {
		out = append(out, raw[i:i+4]...)
	}
	return out
}

// pangu is the configuration of a Pangu Pro MoE checkpoint.
type pangu struct {
	Vocab   int64   `json:"vocab_size"`
	Hidden  int64   `json:"hidden_size"`
	Layers  int     `json:"num_hidden_layers"`
	Heads   int64   `json:"num_attention_heads"`
	KVHeads int64   `json:"num_key_value_heads"`
	Experts int64   `json:"num_experts"`
	Width   int64   `json:"moe_intermediate_size"`
	Shared  int64   `json:"shared_expert_intermediate_size"`
	Theta   float32 `json:"rope_theta"`
	Eps     float32 `json:"rms_norm_eps"`

	b                    *ir.Builder
	positions, sequences *ir.Value
	rope                 []*ir.Value
}

func (p *pangu) weight(name string, dims ...int64) *ir.Value {
	return p.b.Weight("model."+name, dtype.BF16, dims...)
}

func (p *pangu) linear(name, site string, x *ir.Value, out, in int64, bias bool) *ir.Value {
	args := []*ir.Value{x, p.weight(name+".weight", out, in)}
	if bias {
		args = append(args, p.weight(name+".bias", out))
	}
	return p.b.Op1(ir.OpLinear, site, args...)
}

func (p *pangu) norm(name string, x *ir.Value) *ir.Value {
	w := p.weight(name+".weight", p.Hidden)
	return p.b.Add(ir.OpRMSNorm, name, []*ir.Value{x, w}, ir.Float("eps", p.Eps))[0]
}

// graph is the model of checkpoints 1.3 with its outputs logits and experts.N.
func (p *pangu) graph(t *testing.T) *ir.Graph {
	p.b = ir.NewBuilder("pangu_pro_moe")
	ids := func(name string, s shape.Scalar) *ir.Value {
		return p.b.Input(name, ir.Tensor(dtype.I32, shape.Shape{shape.Of(s)}))
	}
	tokens := ids("tokens", shape.T)
	p.positions, p.sequences = ids("positions", shape.T), ids("sequences", shape.T)
	rows := ids("rows", shape.L)
	dim := p.Hidden / p.Heads
	p.rope = p.b.Add(ir.OpRopeTable, "rope", []*ir.Value{p.positions},
		ir.Int("dim", dim), ir.Float("theta", p.Theta))
	h := p.b.Op1(ir.OpEmbed, "embed", tokens, p.weight("embed_tokens.weight", p.Vocab, p.Hidden))
	for i := range p.Layers {
		name := fmt.Sprintf("layers.%d.", i)
		a := p.attention(name+"self_attn", p.norm(name+"input_layernorm", h))
		h = p.b.Op1(ir.OpAdd, name+"self_attn.residual", h, a)
		m := p.moe(i, name+"mlp", p.norm(name+"post_attention_layernorm", h))
		h = p.b.Op1(ir.OpAdd, name+"mlp.residual", h, m)
	}
	h = p.b.Op1(ir.OpTakeRows, "norm", p.norm("norm", h), rows)
	head := p.b.Weight("lm_head.weight", dtype.BF16, p.Vocab, p.Hidden)
	p.b.Output("logits", p.b.Op1(ir.OpLinear, "lm_head", h, head))
	g, err := p.b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (p *pangu) attention(name string, x *ir.Value) *ir.Value {
	dim := p.Hidden / p.Heads
	heads := func(part string, n int64) *ir.Value {
		y := p.linear(name+"."+part+"_proj", name, x, n*dim, p.Hidden, true)
		return p.b.Reshape(name, y, shape.Rows(shape.Of(shape.T), n, dim))
	}
	store := func(part string, y *ir.Value) *ir.Value {
		state := p.b.State(name+"."+part, dtype.F32, p.KVHeads, dim)
		return p.b.Op1(ir.OpKVWrite, name, state, y, p.positions, p.sequences)
	}
	q := p.b.Op1(ir.OpRotary, name, heads("q", p.Heads), p.rope[0], p.rope[1])
	k := store("k", p.b.Op1(ir.OpRotary, name, heads("k", p.KVHeads), p.rope[0], p.rope[1]))
	v := store("v", heads("v", p.KVHeads))
	scale := ir.Float("scale", float32(1/math.Sqrt(float64(dim))))
	y := p.b.Add(ir.OpAttend, name, []*ir.Value{q, k, v, p.positions, p.sequences}, scale)[0]
	y = p.b.Reshape(name, y, shape.Rows(shape.Of(shape.T), p.Heads*dim))
	return p.linear(name+".o_proj", name, y, p.Hidden, p.Heads*dim, true)
}

func (p *pangu) moe(layer int, name string, x *ir.Value) *ir.Value {
	gate := []*ir.Value{x, p.weight(name+".gate.weight", p.Experts, p.Hidden),
		p.b.Reshape(name, p.weight(name+".router_scale", 1, p.Experts), shape.Make(p.Experts))}
	chosen := p.b.Add(ir.OpMoEGate, name, gate, ir.Int("groups", 8))
	p.b.Output(fmt.Sprintf("experts.%d", layer), chosen[1])
	r := p.b.Add(ir.OpRoute, name, chosen[1:], ir.Int("experts", p.Experts))
	xs := p.b.Op1(ir.OpPermute, name, x, r[0])
	grouped := func(part string, x *ir.Value, out, in int64) *ir.Value {
		args := []*ir.Value{x, r[1]}
		for e := range p.Experts {
			w := fmt.Sprintf("%s.experts.%d.%s_proj.weight", name, e, part)
			args = append(args, p.weight(w, out, in))
		}
		return p.b.Op1(ir.OpGroupedLinear, name+"."+part, args...)
	}
	act := func(gate, up *ir.Value) *ir.Value {
		return p.b.Op1(ir.OpMul, name, p.b.Op1(ir.OpSiLU, name, gate), up)
	}
	y := act(grouped("gate", xs, p.Width, p.Hidden), grouped("up", xs, p.Width, p.Hidden))
	y = p.b.Op1(ir.OpCombine, name, grouped("down", y, p.Hidden, p.Width), r[0], chosen[0])
	shared := name + ".shared_expert."
	s := act(p.linear(shared+"gate_proj", name, x, p.Shared, p.Hidden, false),
		p.linear(shared+"up_proj", name, x, p.Shared, p.Hidden, false))
	return p.b.Op1(ir.OpAdd, name, y, p.linear(shared+"down_proj", name, s, p.Hidden, p.Shared,
		false))
}

func loadPangu(t *testing.T, folder string) (*pangu, checkpoint, checkpoint) {
	t.Helper()
	root := filepath.Join("../../tests/testdata", folder)
	weights, golden := checkpoint{}, checkpoint{}
	files, err := filepath.Glob(filepath.Join(root, "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no checkpoint in %s (%v)", root, err)
	}
	for _, f := range files {
		weights.load(t, f)
	}
	golden.load(t, filepath.Join(root, "golden/golden.safetensors"))
	raw, err := os.ReadFile(filepath.Join(root, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pangu{}
	if err := json.Unmarshal(raw, p); err != nil {
		t.Fatal(err)
	}
	return p, weights, golden
}

// step is the golden batch [B,T] as one ragged step with all logits wanted.
func step(ids *tensor.Tensor) Inputs {
	in := Inputs{Tokens: ids.I32}
	for i := range ids.I32 {
		in.Positions = append(in.Positions, int32(i%ids.Last()))
		in.Sequences = append(in.Sequences, int32(i/ids.Last()))
		in.Rows = append(in.Rows, int32(i))
	}
	return in
}

// The golden values come from another implementation, in f32 throughout: a sum of n terms
// is off by at most n·2^-24 of its magnitude there. The longest sums have 2^9 terms and
// logits stay below 2^5; layers norm their input, so their errors add up within that bound.
const goldenTolerance = 1.0 / (1 << 24) * (1 << 9) * (1 << 5)

func TestGoldenModels(t *testing.T) {
	for _, folder := range []string{"families/pangu_pro_moe", "tiny-moge"} {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			p, weights, golden := loadPangu(t, folder)
			start := time.Now()
			out, err := Run(p.graph(t), step(golden["input_ids"]), nil, weights, Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := golden["logits"]
			want.Shape = out["logits"].Shape
			diff, err := tensor.MaxAbsDiff(out["logits"], want)
			if err != nil || !(diff <= goldenTolerance) {
				t.Errorf("logits differ by %v (%v), want at most %v", diff, err, goldenTolerance)
			}
			t.Logf("%d tokens in %v, logits within %.2g", golden["input_ids"].Len(),
				time.Since(start), diff)
			per := golden["expert_ids"].Len() / p.Layers
			for i := range p.Layers {
				ids := out[fmt.Sprintf("experts.%d", i)]
				want := tensor.FromI32(golden["expert_ids"].I32[i*per:(i+1)*per], ids.Shape...)
				if d := tensor.Diff(ids, want); d != "" {
					t.Errorf("experts of layer %d: %s", i, d)
				}
			}
		})
	}
}

// One token a step over the kept state gives the same bits as all at once: a row depends
// on its sequence alone.
func TestDecodeEqualsPrefill(t *testing.T) {
	p, weights, golden := loadPangu(t, "families/pangu_pro_moe")
	g, all := p.graph(t), step(golden["input_ids"])
	want, err := Run(g, all, nil, weights, Options{})
	if err != nil {
		t.Fatal(err)
	}
	st, length := NewState(), golden["input_ids"].Last()
	for pos := range length {
		in := Inputs{Rows: []int32{1, 0}}
		for seq := range 2 {
			in.Tokens = append(in.Tokens, all.Tokens[seq*length+pos])
			in.Positions = append(in.Positions, int32(pos))
			in.Sequences = append(in.Sequences, int32(seq))
		}
		got, err := Run(g, in, st, weights, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for l, seq := range []int{1, 0} {
			vocab := int(p.Vocab)
			a := tensor.FromF32(rowOf(got["logits"].F32, l, vocab), p.Vocab)
			b := tensor.FromF32(rowOf(want["logits"].F32, seq*length+pos, vocab), p.Vocab)
			if d := tensor.Diff(a, b); d != "" {
				t.Fatalf("sequence %d, position %d: %s", seq, pos, d)
			}
		}
	}
}
