package hf

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"moge/ir/dtype"
)

const testdata = "../../tests/testdata"

func mustLoad(t *testing.T, dir string) *Config {
	t.Helper()
	c, err := Load(filepath.Join(testdata, dir))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// family is what the small checkpoints of the families have in common.
func family(architecture, modelType string) Config {
	c := Config{
		Architecture: architecture, ModelType: modelType, DType: dtype.BF16,
		HiddenSize: 64, Layers: 2, VocabSize: 512, MaxPositions: 512, Heads: 4, KVHeads: 2, HeadDim: 16,
		DecoderSparseStep: 1, RMSNormEps: 1e-6, RopeTheta: 1e4, PartialRotary: 1, HiddenAct: "silu",
		BOS: 1, Pad: -1, EOS: []int64{2}, Generation: defaultGeneration(),
	}
	c.Generation.EOS, c.Generation.BOS = c.EOS, c.BOS
	return c
}

func TestLoadFamilies(t *testing.T) {
	yes := true
	llama := family("LlamaForCausalLM", "llama")
	llama.Intermediate = 192
	qwen3 := family("Qwen3ForCausalLM", "qwen3")
	qwen3.Intermediate = 192
	mixtral := family("MixtralForCausalLM", "mixtral")
	mixtral.Intermediate, mixtral.RopeTheta = 48, 1e6
	mixtral.Experts, mixtral.ExpertsPerToken = 8, 2
	qwen3MoE := family("Qwen3MoeForCausalLM", "qwen3_moe")
	qwen3MoE.Intermediate, qwen3MoE.MoEIntermediate, qwen3MoE.NormTopKProb = 128, 48, &yes
	qwen3MoE.Experts, qwen3MoE.ExpertsPerToken = 8, 2
	pangu := family("PanguProMoEForCausalLM", "PanguProMoE")
	pangu.MoEIntermediate, pangu.SharedIntermediate = 32, 128
	pangu.Experts, pangu.ExpertsPerToken = 64, 8
	pangu.RMSNormEps, pangu.RopeTheta, pangu.Pad, pangu.Generation.Pad = 1e-5, 16e6, 0, 0
	for dir, want := range map[string]Config{
		"llama": llama, "qwen3": qwen3, "mixtral": mixtral, "qwen3_moe": qwen3MoE, "pangu_pro_moe": pangu,
	} {
		got := *mustLoad(t, filepath.Join("families", dir))
		got.doc = document{}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", dir, got, want)
		}
	}
}

func TestLoadTinyModel(t *testing.T) {
	yes, no := true, false
	got := *mustLoad(t, "tiny-moge")
	got.doc = document{}
	want := Config{
		Architecture: "PanguProMoEForCausalLM", ModelType: "PanguProMoE", DType: dtype.BF16,
		HiddenSize: 128, Layers: 4, VocabSize: 4096, MaxPositions: 1024,
		Heads: 8, KVHeads: 4, HeadDim: 16,
		MoEIntermediate: 64, SharedIntermediate: 256, Experts: 64, ExpertsPerToken: 8,
		DecoderSparseStep: 1, RMSNormEps: 1e-5, RopeTheta: 1e4, PartialRotary: 1, HiddenAct: "silu",
		BOS: 1, Pad: 0, EOS: []int64{4},
		Generation: Generation{DoSample: true, Temperature: 0.8, TopP: 0.95, EOS: []int64{4}, BOS: 1},
		Tokenizer: Tokenizer{Class: "PanguTokenizer", AddBOS: &yes, AddEOS: &no, BOSToken: "<s>",
			EOSToken: "[unused10]", PadToken: "<unk>", UnkToken: "<unk>"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
}

// base is the least that a config must hold.
const base = `"architectures":["A"],"hidden_size":64,"num_hidden_layers":2,"vocab_size":512,` +
	`"max_position_embeddings":512,"num_attention_heads":4,"rms_norm_eps":1e-6`

// with is base with the pairs added; a pair whose key base has replaces that.
func with(t *testing.T, pairs string) []byte {
	t.Helper()
	merged := map[string]json.RawMessage{}
	for _, text := range []string{"{" + base + "}", "{" + pairs + "}"} {
		if err := json.Unmarshal([]byte(text), &merged); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.MarshalIndent(merged, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSpellings(t *testing.T) {
	yes, no := true, false
	for pairs, change := range map[string]func(c *Config){
		``:                        func(c *Config) {},
		`"head_dim":null`:         func(c *Config) {},
		`"head_dim":24`:           func(c *Config) { c.HeadDim = 24 },
		`"num_key_value_heads":1`: func(c *Config) { c.KVHeads = 1 },
		`"rope_theta":5e5`:        func(c *Config) { c.RopeTheta = 5e5 },
		`"rope_theta":10000`:      func(c *Config) { c.RopeTheta = 1e4 },
		`"rope_scaling":null`:     func(c *Config) {},
		`"rope_theta":7,"rope_scaling":{"type":"default"}`:    func(c *Config) { c.RopeTheta = 7 },
		`"rope_theta":7,"rope_parameters":{"rope_theta":7.0}`: func(c *Config) { c.RopeTheta = 7 },
		`"rope_parameters":{"rope_theta":7,"partial_rotary_factor":0.5,"rope_type":"default"}`: func(
			c *Config) {
			c.RopeTheta, c.PartialRotary = 7, 0.5
		},
		`"partial_rotary_factor":0.25`:                    func(c *Config) { c.PartialRotary = 0.25 },
		`"dtype":"float16"`:                               func(c *Config) { c.DType = dtype.F16 },
		`"torch_dtype":"torch.float32","dtype":"float32"`: func(c *Config) { c.DType = dtype.F32 },
		`"attention_bias":true`:                           func(c *Config) { c.AttentionBias = true },
		`"mlp_bias":true`:                                 func(c *Config) { c.MLPBias = true },
		`"tie_word_embeddings":true`:                      func(c *Config) { c.TieEmbeddings = true },
		`"n_routed_experts":6,"num_experts_per_tok":6`: func(c *Config) {
			c.Experts, c.ExpertsPerToken = 6, 6
		},
		`"num_routed_experts":6,"num_experts":6,"num_experts_per_tok":1`: func(c *Config) {
			c.Experts, c.ExpertsPerToken = 6, 1
		},
		`"norm_topk_prob":false`: func(c *Config) { c.NormTopKProb = &no },
		`"norm_topk_prob":true`:  func(c *Config) { c.NormTopKProb = &yes },
		`"mlp_only_layers":[0,1],"decoder_sparse_step":2`: func(c *Config) {
			c.MLPOnlyLayers, c.DecoderSparseStep = []int{0, 1}, 2
		},
		`"sliding_window":128`:                             func(c *Config) { c.SlidingWindow = 128 },
		`"sliding_window":12,"use_sliding_window":true`:    func(c *Config) { c.SlidingWindow = 12 },
		`"sliding_window":0,"use_sliding_window":false`:    func(c *Config) {},
		`"sliding_window":null,"use_sliding_window":false`: func(c *Config) {},
		`"eos_token_id":[2,7],"pad_token_id":512`: func(c *Config) {
			c.EOS, c.Pad = []int64{2, 7}, 512
		},
		`"eos_token_id":null,"bos_token_id":-1`: func(c *Config) {},
		`"model_type":"m","hidden_act":"gelu"`: func(c *Config) {
			c.ModelType, c.HiddenAct = "m", "gelu"
		},
	} {
		got, err := ParseConfig("config.json", with(t, pairs))
		if err != nil {
			t.Errorf("%s: %v", pairs, err)
			continue
		}
		want := Config{Architecture: "A", HiddenSize: 64, Layers: 2, VocabSize: 512, MaxPositions: 512,
			Heads: 4, KVHeads: 4, HeadDim: 16, DecoderSparseStep: 1, RMSNormEps: 1e-6, PartialRotary: 1,
			BOS: -1, Pad: -1, Generation: defaultGeneration(), doc: got.doc}
		change(&want)
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", pairs, got, want)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for pairs, want := range map[string]string{
		`"num_hidden_layers":-3`:   "num_hidden_layers is -3, it must be between 1 and 10000",
		`"num_hidden_layers":0`:    "num_hidden_layers is 0, it must be between 1 and 10000",
		`"num_hidden_layers":2.5`:  "num_hidden_layers is 2.5, it must be an integer between 1 and 10000",
		`"num_hidden_layers":"2"`:  `num_hidden_layers is "2", it must be an integer between 1 and 10000`,
		`"num_hidden_layers":[2]`:  "num_hidden_layers is [2], it must be an integer between 1 and 10000",
		`"num_hidden_layers":null`: "num_hidden_layers is missing",
		`"hidden_size":4294967296`: "hidden_size is 4294967296, it must be between 1 and 1048576",
		`"hidden_size":1e2`:        "hidden_size is 1e2, it must be an integer between 1 and 1048576",
		`"vocab_size":99999999999999999999`: "vocab_size is 99999999999999999999, " +
			"it must be between 1 and 268435456",
		`"max_position_embeddings":2147483648`: "max_position_embeddings is 2147483648, " +
			"it must be between 1 and 2147483647",
		`"hidden_size":66`: "hidden_size is 66, without head_dim it must be a multiple of " +
			"num_attention_heads (4)",
		`"num_key_value_heads":3`: "num_attention_heads is 4, it must be a multiple of " +
			"num_key_value_heads (3)",
		`"num_key_value_heads":8`: "num_attention_heads is 4, it must be a multiple of " +
			"num_key_value_heads (8)",
		`"rms_norm_eps":0`:       "rms_norm_eps is 0, it must be above 0 and at most 1",
		`"rms_norm_eps":-1e-6`:   "rms_norm_eps is -1e-6, it must be above 0 and at most 1",
		`"rms_norm_eps":1e999`:   "rms_norm_eps is 1e999, it must be above 0 and at most 1",
		`"rms_norm_eps":"1e-6"`:  `rms_norm_eps is "1e-6", it must be a number above 0 and at most 1`,
		`"rope_theta":0`:         "rope_theta is 0, it must be above 0 and at most 1e+18",
		`"num_experts":0`:        "num_experts is 0, it must be between 1 and 65536",
		`"num_local_experts":-8`: "num_local_experts is -8, it must be between 1 and 65536",
		`"num_experts":8`:        "num_experts_per_tok is missing",
		`"num_experts":8,"num_experts_per_tok":9`: "num_experts_per_tok is 9, " +
			"it must be between 1 and 8",
		`"num_experts":8,"num_local_experts":4`: "num_local_experts is 4 but num_experts is 8, " +
			"they must agree",
		`"dtype":"float16","torch_dtype":"bfloat16"`: `torch_dtype is "bfloat16" but ` +
			`dtype is "float16", ` +
			"they must agree",
		`"torch_dtype":"float8_e4m3fn"`: `torch_dtype is "float8_e4m3fn", it must be "bfloat16", ` +
			`"float16" or "float32"`,
		`"rope_scaling":{"type":"yarn","factor":4}`: `rope_scaling.type is "yarn", it must ` +
			`be "default", ` +
			"other kinds of rotary scaling are not supported",
		`"rope_parameters":{"rope_type":"llama3","rope_theta":5e5}`: `rope_parameters.rope_type is ` +
			`"llama3", it must be "default", other kinds of rotary scaling are not supported`,
		`"rope_scaling":{"factor":4}`: "rope_scaling.factor stands without rope_type, " +
			"rotary scaling is not supported",
		`"rope_scaling":"linear"`: "rope_scaling is not a JSON object",
		`"rope_theta":5,"rope_parameters":{"rope_theta":6}`: "rope_parameters.rope_theta is 6 but " +
			"rope_theta is 5, they must agree",
		`"rope_parameters":{"full_attention":{"rope_theta":6}}`: "rope_parameters.full_attention is an " +
			"object, but rotary parameters per layer type are not supported",
		`"rope_parameters":{"partial_rotary_factor":1.5}`: "rope_parameters." +
			"partial_rotary_factor is 1.5, " +
			"it must be above 0 and at most 1",
		`"mlp_only_layers":[0,2]`:   "mlp_only_layers holds 2, it must be between 0 and 1",
		`"mlp_only_layers":1`:       "mlp_only_layers is 1, it must be a list",
		`"use_sliding_window":true`: "sliding_window is missing",
		`"sliding_window":0`:        "sliding_window is 0, it must be between 1 and 2147483647",
		`"eos_token_id":512`:        "eos_token_id holds 512, it must be between 0 and 511",
		`"eos_token_id":[1,"a"]`:    `eos_token_id holds "a", it must be an integer between 0 and 511`,
		`"bos_token_id":512`:        "bos_token_id is 512, it must be between -1 and 511",
		`"pad_token_id":-2`:         "pad_token_id is -2, it must be between -1 and 2147483647",
		`"attention_bias":1`:        "attention_bias is 1, it must be true or false",
		`"hidden_act":[]`:           "hidden_act is [], it must be a string",
		`"architectures":[]`:        "architectures is [], it must be a list of names",
		`"architectures":null`:      "names neither architectures nor model_type",
	} {
		_, err := ParseConfig("config.json", with(t, pairs))
		wantError(t, err, "config.json: "+want)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want an *Error: %s", err, want)
	} else if err.Error() != want {
		t.Errorf("\ngot  %s\nwant %s", err, want)
	}
}

func TestDetection(t *testing.T) {
	c, err := ParseConfig("c.json", with(t, `"sandwich_norm":false,"param_sink_number":128,"x":null`))
	if err != nil {
		t.Fatal(err)
	}
	if !c.Has("sandwich_norm") || c.Has("x") || c.Has("router_enable_expert_bias") {
		t.Error("Has is wrong")
	}
	if keys := c.Keys(); !slices.IsSorted(keys) || len(keys) != 9 || slices.Contains(keys, "x") {
		t.Errorf("keys %v", keys)
	}
	var n int
	if ok, err := c.Decode("param_sink_number", &n); !ok || err != nil || n != 128 {
		t.Errorf("%v, %v, %d", ok, err, n)
	}
	if ok, err := c.Decode("x", &n); ok || err != nil {
		t.Errorf("null: %v, %v", ok, err)
	}
	_, err = c.Decode("sandwich_norm", &n)
	wantError(t, err, "c.json: sandwich_norm is false, it does not fit *int")
	wantError(t, c.Problem("num_experts", "is 63, it must be a multiple of 8"),
		"c.json: num_experts is 63, it must be a multiple of 8")
	if (&Config{}).Has("x") {
		t.Error("an empty config has no keys")
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("{" + base + "}"))
	f.Add([]byte("{" + base + `,"rope_parameters":{"rope_theta":1e4,"rope_type":"default"}}`))
	f.Add([]byte("{" + base + `,"num_experts":8,"num_experts_per_tok":2,"eos_token_id":[1,2]}`))
	f.Add([]byte("{" + base + `,"mlp_only_layers":[1],"sliding_window":16,"head_dim":null}`))
	f.Add([]byte(strings.Replace("{"+base+"}", "1e-6", "NaN", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ParseGeneration("g", data); err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("not an *Error: %v", err)
		}
		if _, err := ParseTokenizer("t", data); err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("not an *Error: %v", err)
		}
		c, err := ParseConfig("c", data)
		if err != nil {
			if !errors.As(err, new(*Error)) || len(err.Error()) > 1000 {
				t.Fatalf("not a bounded *Error: %v", err)
			}
			return
		}
		checkInvariants(t, c)
	})
}

func checkInvariants(t *testing.T, c *Config) {
	positive := []int{c.HiddenSize, c.Layers, c.VocabSize, c.MaxPositions, c.Heads, c.KVHeads,
		c.HeadDim, c.DecoderSparseStep}
	if slices.Min(positive) < 1 || c.Heads%c.KVHeads != 0 || c.ExpertsPerToken > c.Experts {
		t.Fatalf("%+v", c)
	}
	if !(c.RMSNormEps > 0 && c.RMSNormEps <= 1) || !(c.RopeTheta >= 0) ||
		!(c.PartialRotary > 0 && c.PartialRotary <= 1) {
		t.Fatalf("%+v", c)
	}
}
