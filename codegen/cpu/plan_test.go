package cpu

import (
	"testing"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/shape"
)

// dense is an embedding, a norm and a linear; the reshape is a view, the table is stored
// twice because a lookup and a linear read it in different layouts.
func dense(b *ir.Builder) {
	tokens := b.Input("tokens", tokensOf(dtype.I32))
	table := b.Weight("table", dtype.BF16, 20, 4)
	x := b.Op1(ir.OpEmbed, "embed", tokens, table)
	n := b.Add(ir.OpRMSNorm, "norm", []*ir.Value{x, b.Weight("g", dtype.BF16, 4)}, ir.Float("eps", 0.5))[0]
	y := b.Op1(ir.OpLinear, "head", n, table, b.Weight("bias", dtype.F16, 20))
	b.Output("logits", y)
	b.Output("view", b.Reshape("view", x, shape.Rows(shape.Of(shape.T), 2, 2)))
}

const densePlan = `input tokens = b0
b0 i32[1*T] at 0
b1 f32[1*T,4] at 640
b2 f32[1*T,4] at 768
b3 f32[1*T,20] at 0
b4 f32[1*T,2,2] at 640
arena 896
b1 embed(b0 w0) @embed
b2 rms_norm(b1 w1) eps=0.5 @norm
b3 linear(b2 w2 w3) @head
output logits = b3
output view = b4
w0 embed.weight bf16[20 4] row at 0, 160 bytes
w1 norm.weight f32[4] row at 192, 16 bytes
w2 head.weight bf16[20 4] tile16 at 256, 256 bytes
w3 head.bias f32[20] row at 512, 80 bytes
unit 0 to 80: w0[0:160]
unit 0 to 4: w1[0:16]
unit 0 to 2: w2[0:256]
unit 0 to 20: w3[0:80]
`

// routed is a gate and quantized experts, stacked for one linear and apart for the other.
func routed(b *ir.Builder) {
	x := b.Input("x", tokensOf(dtype.F32, 8))
	gate := b.Add(ir.OpMoEGate, "router", []*ir.Value{x, b.Weight("gate", dtype.F32, 2, 8)}, ir.Int("groups", 1))
	order := b.Add(ir.OpRoute, "experts", []*ir.Value{gate[1]}, ir.Int("experts", 2))
	q := b.Add(ir.OpQuantize, "up", []*ir.Value{x})
	var rows []*ir.Value
	for _, v := range q {
		rows = append(rows, b.Op1(ir.OpPermute, "experts", v, order[0]))
	}
	w := b.Add(ir.OpQuantizeWeight, "up", []*ir.Value{b.Weight("up", dtype.BF16, 2, 17, 8)})
	up := b.Op1(ir.OpQGroupedLinear, "up", rows[0], order[1], rows[1], w[0], w[1])
	down := b.Op1(ir.OpGroupedLinear, "down", up, order[1], b.Weight("down.0", dtype.F16, 3, 17),
		b.Weight("down.1", dtype.F16, 3, 17))
	b.Output("y", b.Op1(ir.OpCombine, "experts", down, order[0], gate[0]))
}

const routedPlan = `input x = b0
b0 f32[1*T,8] at 512
b1 f32[1*T,1] at 1088
b2 i32[1*T,1] at 0
b3 i32[1*T] at 1152
b4 i32[3] at 1344
b5 i8[1*T,8] at 0
b6 f32[1*T] at 1216
b7 i8[1*T,8] at 576
b8 f32[1*T] at 1280
b9 f32[1*T,17] at 0
b10 f32[1*T,3] at 576
b11 f32[1*T,3] at 0
arena 1408
b1 b2 moe_gate(b0 w0) groups=1 @router
b3 b4 route(b2) experts=2 @experts
b5 b6 quantize_dynamic(b0) @up
b7 permute(b5 b3) @experts
b8 permute(b6 b3) @experts
b9 qgrouped_linear(b7 b4 b8 w1 w2 w3) @up
b10 grouped_linear(b9 b4 w4) @down
b11 combine(b10 b3 b1) @experts
output y = b11
w0 router.weight f32[2 8] tile16 at 0, 512 bytes
w1 up.weight i8[2 17 8] tile16x4 at 512, 512 bytes
w2 up.weight_scale f32[2 17] row at 1024, 136 bytes
w3 up.row_sum i32[2 32] row at 1216, 256 bytes
w4 down.weight f16[2 3 17] tile16 at 1472, 1088 bytes
unit 0 to 1: w0[0:512]
unit 0 to 4: w1[0:512] w2[0:136] w3[0:256]
unit 0 to 2: w4[0:1088]
`

// cached is an attention over its own cache.
func cached(b *ir.Builder) {
	positions, sequences := b.Input("positions", tokensOf(dtype.I32)), b.Input("sequences", tokensOf(dtype.I32))
	x := b.Input("x", tokensOf(dtype.F32, 1, 4))
	k := b.State("k", dtype.F16, 1, 4)
	v := b.State("v", dtype.I8, 1, 4)
	k = b.Op1(ir.OpKVWrite, "attn.k", k, x, positions, sequences)
	v = b.Op1(ir.OpKVWrite, "attn.v", v, x, positions, sequences)
	y := b.Add(ir.OpAttend, "attn", []*ir.Value{x, k, v, positions, sequences}, ir.Float("scale", 0.25),
		ir.Int("window", 9))
	b.Output("y", y[0])
}

const cachedPlan = `input positions = b0
input sequences = b1
input x = b2
state s0 k f16[1,4]
state s1 v i8[1,4]
b0 i32[1*T] at 256
b1 i32[1*T] at 320
b2 f32[1*T,1,4] at 0
b3 f32[1*T,1,4] at 128
arena 384
 kv_write(s0 b2 b0 b1) @attn.k
 kv_write(s1 b2 b0 b1) @attn.v
b3 attend(b2 s0 s1 b0 b1) scale=0.25 window=9 @attn
output y = b3
`

func TestPlansAsText(t *testing.T) {
	for _, c := range []struct {
		name  string
		graph func(*ir.Builder)
		want  string
	}{{"dense", dense, densePlan}, {"routed", routed, routedPlan}, {"cached", cached, cachedPlan}} {
		t.Run(c.name, func(t *testing.T) {
			b := ir.NewBuilder(c.name)
			c.graph(b)
			g := finish(t, b)
			got := printPlan(build(t, g))
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if again := printPlan(build(t, g)); again != got {
				t.Error("a second plan differs")
			}
		})
	}
}
