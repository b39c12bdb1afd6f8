package passes

import (
	"hash/fnv"
	"math/rand/v2"
	"testing"

	"moge/formats/hf"
	"moge/formats/models"
	"moge/ir"
	"moge/ir/interp"
	"moge/ir/shape"
	"moge/ir/tensor"
	"moge/quant"
)

// panguConfig is a grouped mixture of experts with every place of the model in it.
const panguConfig = `{"architectures":["PanguProMoEForCausalLM"],"model_type":"PanguProMoE",
"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
"vocab_size":24,"max_position_embeddings":32,"rms_norm_eps":1e-05,"rope_theta":10000.0,
"hidden_act":"silu","torch_dtype":"bfloat16","num_experts":8,"num_experts_per_tok":4,
"moe_intermediate_size":8,"shared_expert_intermediate_size":32}`

// bigConfig has the layers and experts of the released model, 9552 weights.
const bigConfig = `{"architectures":["PanguProMoEForCausalLM"],"model_type":"PanguProMoE",
"hidden_size":5120,"num_hidden_layers":48,"num_attention_heads":40,"num_key_value_heads":8,
"vocab_size":153376,"max_position_embeddings":131072,"rms_norm_eps":1e-05,"rope_theta":16000000.0,
"hidden_act":"silu","torch_dtype":"bfloat16","num_experts":64,"num_experts_per_tok":8,
"moe_intermediate_size":1344,"shared_expert_intermediate_size":5376}`

// build is the graph that formats/models makes of a config.
func build(t testing.TB, config string) *ir.Graph {
	t.Helper()
	cfg, err := hf.ParseConfig("config.json", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := models.Build(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func scheme(t testing.TB, name string) quant.Scheme {
	t.Helper()
	s, err := quant.ParseScheme(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onePass runs the first pass of that name.
func onePass(name string, g *ir.Graph, opt Options) (*ir.Graph, *Report, error) {
	c := &compilation{opt: opt, report: &Report{}}
	for i := range pipeline {
		if pipeline[i].name == name {
			out, err := pipeline[i].run(g, c)
			return out, c.report, err
		}
	}
	panic("BUG: no pass " + name)
}

// randomWeights gives every weight of a graph values that depend on its name alone.
type randomWeights struct{ types map[string]ir.Type }

func weightsOf(g *ir.Graph) randomWeights {
	w := randomWeights{map[string]ir.Type{}}
	for _, n := range g.Nodes {
		if n.Op == ir.OpWeight {
			w.types[n.Str("name")] = n.Result().Type
		}
	}
	return w
}

// Weight implements interp.Weights.
func (w randomWeights) Weight(name string) (*tensor.Tensor, error) {
	h := fnv.New64a()
	h.Write([]byte(name))
	return randomTensor(rand.New(rand.NewPCG(h.Sum64(), 1)), w.types[name], 1)
}

func randomTensor(rng *rand.Rand, typ ir.Type, tokens int64) (*tensor.Tensor, error) {
	var env shape.Env
	for _, s := range shape.Scalars() {
		env[s] = tokens
	}
	dims := make([]int64, len(typ.Shape))
	for i, d := range typ.Shape {
		dims[i] = d.Eval(&env)
	}
	out, err := tensor.Make(typ.DType, dims)
	if err != nil {
		return nil, err
	}
	for i := range out.F32 {
		out.F32[i] = tensor.Round(typ.DType, float32(rng.NormFloat64()/2))
	}
	return out, nil
}

// steps are a prefill of two sequences and a decode step of both.
func steps() []interp.Inputs {
	return []interp.Inputs{
		{Tokens: []int32{3, 1, 4, 1, 5, 9, 2}, Positions: []int32{0, 1, 2, 3, 0, 1, 2},
			Sequences: []int32{0, 0, 0, 0, 1, 1, 1}, Rows: []int32{3, 6}},
		{Tokens: []int32{6, 8}, Positions: []int32{4, 3}, Sequences: []int32{0, 1}, Rows: []int32{0, 1}},
	}
}

// outputs runs all steps of g.
func outputs(t testing.TB, g *ir.Graph, w interp.Weights) []map[string]*tensor.Tensor {
	t.Helper()
	state := interp.NewState()
	var all []map[string]*tensor.Tensor
	for _, in := range steps() {
		out, err := interp.Run(g, in, state, w, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out)
	}
	return all
}

// sameOutputs fails unless two runs agree bit for bit.
func sameOutputs(t testing.TB, g *ir.Graph, got, want []map[string]*tensor.Tensor) {
	t.Helper()
	for i := range want {
		for _, o := range g.Outputs {
			if diff := tensor.Diff(got[i][o.Name], want[i][o.Name]); diff != "" {
				t.Errorf("step %d, output %s: %s", i, o.Name, diff)
			}
		}
	}
}

// count is how many nodes of op g has.
func count(g *ir.Graph, op ir.Op) int {
	total := 0
	for _, n := range g.Nodes {
		if n.Op == op {
			total++
		}
	}
	return total
}
