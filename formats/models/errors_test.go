package models

import (
	"reflect"
	"strings"
	"testing"

	"moge/ir/dtype"
)

// edit changes keys of a config's JSON text.
func edit(text string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(text)
}

const smallPangu = `{"architectures":["PanguProMoEForCausalLM"],"model_type":"PanguProMoE",
	"hidden_size":16,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,
	"vocab_size":24,"max_position_embeddings":32,"rms_norm_eps":1e-5,"hidden_act":"silu",
	"num_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":8,
	"shared_expert_intermediate_size":32}`

const smallLlama = `{"architectures":["LlamaForCausalLM"],"hidden_size":16,"num_hidden_layers":1,
	"num_attention_heads":4,"vocab_size":24,"max_position_embeddings":32,"rms_norm_eps":1e-5,
	"intermediate_size":24}`

func TestRefusedConfigs(t *testing.T) {
	const published = ": use the config.json that was published with the checkpoint"
	pangu := func(pairs ...string) string { return edit(smallPangu, pairs...) }
	llama := func(pairs ...string) string { return edit(smallLlama, pairs...) }
	for _, c := range []struct{ name, config, want string }{
		{"unknown", llama("LlamaForCausalLM", "LLaMAForCausalLM"),
			`model "LLaMAForCausalLM": this architecture is not supported: supported are ` +
				"PanguProMoEForCausalLM, Qwen3MoeForCausalLM, MixtralForCausalLM, " +
				"LlamaForCausalLM, Qwen3ForCausalLM; the nearest is LlamaForCausalLM"},
		{"none", llama(`"architectures":["LlamaForCausalLM"]`, `"model_type":"llama"`),
			`model "": config.json names no architecture: supported are ` +
				"PanguProMoEForCausalLM, Qwen3MoeForCausalLM, MixtralForCausalLM, " +
				"LlamaForCausalLM, Qwen3ForCausalLM"},
		{"v2 by name", pangu("PanguProMoEForCausalLM", "PanguProMoEV2ForCausalLM"),
			`model "PanguProMoEV2ForCausalLM": Pangu Pro MoE V2, which is not a mixture of grouped ` +
				"experts: it routes by a biased sigmoid, has sandwich norms, sink tokens and latent " +
				"attention, and is not supported: give a checkpoint of PanguProMoEForCausalLM"},
		{"v2 by key", pangu(`"num_experts":4`, `"num_experts":4,"sandwich_norm":true`),
			`model "PanguProMoEForCausalLM": the key sandwich_norm marks Pangu Pro MoE V2, which is ` +
				"not a mixture of grouped experts: it routes by a biased sigmoid, has sandwich norms, " +
				"sink tokens and latent attention, and is not supported: give a checkpoint of " +
				"PanguProMoEForCausalLM"},
		{"groups", pangu(`"num_experts":4`, `"num_experts":5`),
			`model "PanguProMoEForCausalLM": num_experts is 5, which does not divide into ` +
				"num_experts_per_tok = 2 groups of as many experts" + published},
		{"dense without width", pangu(`"num_experts":4`, `"num_experts":4,"mlp_only_layers":[0]`),
			`model "PanguProMoEForCausalLM": intermediate_size is missing, but there are layers ` +
				"without experts" + published},
		{"no experts", pangu(`"silu",`, `"gelu"`, `"num_experts":4,"num_experts_per_tok":2,`, "",
			`"moe_intermediate_size":8,`, "", `"shared_expert_intermediate_size":32`, ""),
			`model "PanguProMoEForCausalLM": 4 problems: hidden_act is "gelu", want silu; ` +
				"num_experts is missing; moe_intermediate_size is missing; " +
				"shared_expert_intermediate_size is missing" + published},
		{"window", llama(`"intermediate_size":24`, `"intermediate_size":24,"sliding_window":16`),
			`model "LlamaForCausalLM": sliding_window is 16, but attention over a window is not ` +
				"supported" + published},
		{"odd head", llama(`"intermediate_size":24`, `"intermediate_size":24,"head_dim":5`),
			`model "LlamaForCausalLM": head_dim is 5, want an even number` + published},
		{"partial rotary", llama(`"intermediate_size":24`,
			`"intermediate_size":24,"partial_rotary_factor":0.5`),
			`model "LlamaForCausalLM": partial_rotary_factor is 0.5, want rotation of whole heads` +
				published},
		{"huge", pangu(`"hidden_size":16`, `"hidden_size":1048576`, `"num_hidden_layers":1`,
			`"num_hidden_layers":10000`, `"num_experts":4`, `"num_experts":65536`),
			`model "PanguProMoEForCausalLM": 2 problems: 10000 layers of 65536 experts are more than ` +
				"65536; the sizes make a model of more than 2^50 parameters" + published},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := parse(t, c.config)
			if _, err := Declared(cfg); err == nil || err.Error() != c.want {
				t.Errorf("Declared gives\n%v\nwant\n%s", err, c.want)
			}
			_, report, err := Build(cfg, &fakeTensors{})
			if err == nil || err.Error() != c.want || report == nil {
				t.Errorf("Build gives\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// TestMixtralWindowAsLongAsContext shows that a window which hides nothing is no obstacle.
func TestMixtralWindowAsLongAsContext(t *testing.T) {
	text := edit(smallLlama, "LlamaForCausalLM", "MixtralForCausalLM", `"intermediate_size":24`,
		`"intermediate_size":24,"sliding_window":32,"num_local_experts":4,"num_experts_per_tok":2`)
	if _, err := Declared(parse(t, text)); err != nil {
		t.Error(err)
	}
}

func TestWrongTensors(t *testing.T) {
	const both = ": config.json and the shards are not of the same model, download both again"
	gate := "model.layers.0.mlp.gate.weight"
	for _, c := range []struct {
		name    string
		change  func(f *fakeTensors)
		want    string
		missing []string
	}{
		{"missing", func(f *fakeTensors) { f.remove(gate) },
			"tensor model.layers.0.mlp.gate.weight is missing", []string{gate}},
		{"shape", func(f *fakeTensors) { f.set(TensorSpec{gate, dtype.BF16, []int64{4, 15}}) },
			"model.layers.0.mlp.gate.weight is [4,15], want [4,16]", nil},
		{"rank", func(f *fakeTensors) { f.set(TensorSpec{gate, dtype.BF16, nil}) },
			"model.layers.0.mlp.gate.weight is [], want [4,16]", nil},
		{"dtype", func(f *fakeTensors) { f.set(TensorSpec{gate, dtype.I8, []int64{4, 16}}) },
			"model.layers.0.mlp.gate.weight is of i8, want f32, f16 or bf16", nil},
		{"several", func(f *fakeTensors) {
			f.remove("lm_head.weight")
			f.remove("model.norm.weight")
			f.remove("model.layers.0.input_layernorm.weight")
			for _, name := range []string{"q", "k", "v", "o"} {
				f.set(TensorSpec{"model.layers.0.self_attn." + name + "_proj.bias", dtype.F16, []int64{3}})
			}
		}, "7 problems: tensor model.layers.0.input_layernorm.weight is missing; " +
			"model.layers.0.self_attn.q_proj.bias is [3], want [16]; " +
			"model.layers.0.self_attn.k_proj.bias is [3], want [8]; " +
			"model.layers.0.self_attn.v_proj.bias is [3], want [8]; " +
			"model.layers.0.self_attn.o_proj.bias is [3], want [16]; and 2 more",
			[]string{"lm_head.weight", "model.layers.0.input_layernorm.weight", "model.norm.weight"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := parse(t, smallPangu)
			f := declaredTensors(t, cfg)
			c.change(f)
			_, report, err := Build(cfg, f)
			want := `model "PanguProMoEForCausalLM": ` + c.want + both
			if err == nil || err.Error() != want {
				t.Errorf("Build gives\n%v\nwant\n%s", err, want)
			}
			if !reflect.DeepEqual(report.Missing, c.missing) {
				t.Errorf("missing are %v, want %v", report.Missing, c.missing)
			}
		})
	}
}

func TestLeftovers(t *testing.T) {
	cfg := parse(t, edit(smallLlama, `"intermediate_size":24`,
		`"intermediate_size":24,"tie_word_embeddings":true`))
	f := declaredTensors(t, cfg)
	dropped := []string{
		"lm_head.weight",
		"model.layers.0.input_layernorm.module.weight",
		"model.layers.0.self_attn.k_proj.kv_cache_offset",
		"model.layers.0.self_attn.rotary_emb.inv_freq",
		"model.layers.1.input_layernorm.weight",
		"model.layers.99.eh_proj.weight",
	}
	unknown := []string{
		"model.layers.-1.self_attn.q_proj.weight",
		"model.layers.0.self_attn.q_proj.bias",
		"model.layers.x.self_attn.q_proj.weight",
		"vision.patch.weight",
	}
	for _, name := range append(append([]string{}, unknown...), dropped...) {
		f.set(TensorSpec{Name: name, DType: dtype.F32, Shape: []int64{1}})
	}
	_, report, err := Build(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Report{Unknown: unknown, Dropped: dropped}); !reflect.DeepEqual(*report, want) {
		t.Errorf("the report is\n%+v\nwant\n%+v", *report, want)
	}
}

// TestMixedTypes gives one expert another type than the rest: a grouped linear takes one type, so
// all of them widen to f32 there, and only there.
func TestMixedTypes(t *testing.T) {
	cfg := parse(t, smallPangu)
	f := declaredTensors(t, cfg)
	f.set(TensorSpec{"model.layers.0.mlp.experts.1.up_proj.weight", dtype.F16, []int64{8, 16}})
	f.set(TensorSpec{"model.norm.weight", dtype.F32, []int64{16}})
	g, _, err := Build(cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	checkGraph(t, g)
	text := g.String()
	if n := strings.Count(text, "cast("); n != 4 {
		t.Errorf("%d casts, want those of 4 experts", n)
	}
	for _, want := range []string{
		`{name="model.layers.0.mlp.experts.1.up_proj.weight"} : f16[8,16]`,
		`{name="model.layers.0.mlp.experts.2.up_proj.weight"} : bf16[8,16]`,
		`{name="model.norm.weight"} : f32[16]`,
		`{to=f32} @layers.0.mlp.experts.up : f32[8,16]`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the graph lacks %s", want)
		}
	}
}
