package kernels

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"moge/runtime/kernelspec"
)

// everySpec is a spec of each kind, with every field set that may be.
func everySpec() []Spec {
	tiling := Tiling{Parts: 8, Rows: 16, Cols: 32, Step: 32, Staged: true, Cycles: 77}
	experts := GroupedSpec{Name: "experts", Experts: 4, Hidden: 64, Width: 32, MaxRows: 64,
		Static: true, Rows: 9, Tiling: tiling, Few: tiling}
	top := TopSpec{Name: "top", Vocabulary: 99, Count: 8, MaxRows: 3}
	return []Spec{
		EmbedSpec{Name: "embed", Width: 48, TableRows: 99, MaxTokens: 64, Step: true},
		NormSpec{Name: "norm", Width: 64, MaxRows: 9, Eps: 1e-5, Add: true, Half: true, Int8: true,
			Static: true},
		QuantizeSpec{Name: "quantize", Width: 64, MaxRows: 9, Static: true},
		LinearSpec{Name: "linear", N: 96, K: 64, MaxRows: 20, Bias: true, Quantize: true, SwiGLU: true,
			Static: true, Rows: 5, Tiling: tiling},
		GroupedGateUpSpec{experts}, GroupedDownSpec{experts},
		HeadSpec{Name: "head", Vocab: 200, Width: 96, MaxRows: 4, Eps: 1e-6, Int8: true, Static: true,
			Rows: 2, Tiling: tiling},
		TopScanSpec{top}, TopPickSpec{top},
		GateSpec{Name: "gate", Width: 64, Experts: 16, Groups: 4, MaxTokens: 8, LocalGroups: 2,
			Scale: true, VoteKeep: 2},
		RouteSpec{Name: "route", Experts: 16, PerToken: 4, MaxTokens: 9, Ascending: true},
		DispatchSpec{Name: "dispatch", Width: 64, PerToken: 4, MaxTokens: 9, Static: true},
		CombineSpec{Name: "combine", Width: 64, PerToken: 4, MaxTokens: 9, Ascending: true, Shared: true},
		RotarySpec{Name: "rotary", Heads: 4, KVHeads: 2, Dim: 32, MaxTokens: 9, MaxPages: 3},
		AttentionDecodeSpec{Name: "decode", Heads: 4, KVHeads: 2, Dim: 32, Scale: 0.17677669,
			MaxSequences: 3, MaxPages: 2, PoolPages: 6, HeadsPerUnit: 2, Parts: 2},
		AttentionPrefillSpec{Name: "prefill", Heads: 4, KVHeads: 2, Dim: 32, Scale: 0.17677669,
			MaxTokens: 9, MaxPages: 2, PoolPages: 6},
	}
}

func TestSpecsRoundTrip(t *testing.T) {
	var kinds []string
	for _, s := range everySpec() {
		kinds = append(kinds, s.Kind())
		data := MarshalSpec(s)
		back, err := UnmarshalSpec(data)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s: %+v, error %v, want %+v", data, back, err, s)
			continue
		}
		if again := MarshalSpec(back); !bytes.Equal(again, data) {
			t.Errorf("%s, then %s", data, again)
		}
	}
	for _, kind := range Kinds() {
		if !strings.Contains(strings.Join(kinds, " ")+" ", kind+" ") {
			t.Errorf("kind %s has no spec here", kind)
		}
	}
}

func TestSpecBytes(t *testing.T) {
	s := GroupedDownSpec{GroupedSpec{Name: "down", Experts: 4, Hidden: 64, Width: 32, MaxRows: 64,
		Tiling: Tiling{Parts: 8, Rows: 16, Cols: 32, Step: 32}}}
	const want = `{"kind":"grouped_down","Name":"down","Experts":4,"Hidden":64,"Width":32,` +
		`"MaxRows":64,"Static":false,"Rows":0,"Tiling":{"Parts":8,"Rows":16,"Cols":32,"Step":32,` +
		`"Staged":false,"Cycles":0},"Few":{"Parts":0,"Rows":0,"Cols":0,"Step":0,"Staged":false,` +
		`"Cycles":0}}`
	if got := string(MarshalSpec(s)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSpecsRefused(t *testing.T) {
	const route = `{"kind":"route","Name":"a","Experts":8,"PerToken":2,"MaxTokens":9`
	for _, c := range []struct{ data, want string }{
		{``, "kernel spec: unexpected EOF"},
		{`{"kind":"norm"`, "kernel spec: unexpected EOF"},
		{`7`, "kernel spec: json: cannot unmarshal number into Go value of type map[string]json.RawMessage"},
		{`{"Name":"a"}`, `kernel spec: no member "kind" with a string`},
		{`{"kind":3}`, `kernel spec: no member "kind" with a string`},
		{`{"kind":"sort"}`, `kernel spec: kind "sort", must be one of ` + strings.Join(Kinds(), ", ")},
		{route + `,"Depth":1}`, `kernel spec of kind route: json: unknown field "Depth"`},
		{route + `,"experts":8}`, `kernel spec: member "experts" twice`},
		{route + `} {}`, "kernel spec: data behind the object"},
		{route + `,"Ascending":[1]}`, "kernel spec: nested deeper than a spec is"},
		{route + `,"Ascending":1}`, "kernel spec of kind route: json: cannot unmarshal number into " +
			"Go struct field RouteSpec.Ascending of type bool"},
		{strings.Replace(route, "8", "0", 1) + `}`, "kernel a: Experts is 0, must be 1 to 1024"},
		{`"` + strings.Repeat("x", kernelspec.MaxBytes) + `"`, "kernel spec: 65538 bytes, at most 65536"},
	} {
		if s, err := UnmarshalSpec([]byte(c.data)); err == nil || err.Error() != c.want {
			t.Errorf("%.200s: %+v, error %v, want %s", c.data, s, err, c.want)
		}
	}
}

// Every number of a spec may be anything: constructors refuse it or make a kernel, soon.
func TestSpecsOfAnyNumbers(t *testing.T) {
	numbers := []int{math.MinInt, -1 << 31, -1, 0, 1, 7, 16, 1 << 16, 1<<31 - 1, 1 << 31, 1 << 40,
		1 << 62, math.MaxInt - 15, math.MaxInt}
	for _, s := range everySpec() {
		fields := intFields(reflect.New(reflect.TypeOf(s)).Elem())
		for i := range fields {
			for _, n := range numbers {
				edited := reflect.New(reflect.TypeOf(s)).Elem()
				edited.Set(reflect.ValueOf(s))
				intFields(edited)[i].SetInt(int64(n))
				k, err := edited.Interface().(Spec).Kernel()
				if (k == nil) == (err == nil) {
					t.Errorf("%+v: kernel %v, error %v", edited, k, err)
				}
			}
		}
	}
}

// intFields are the numbers of a struct, those of structs in it included.
func intFields(v reflect.Value) []reflect.Value {
	var out []reflect.Value
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int:
			out = append(out, f)
		case reflect.Struct:
			out = append(out, intFields(f)...)
		}
	}
	return out
}

// FuzzSpec: what is read is what is written, whatever comes.
func FuzzSpec(f *testing.F) {
	for _, s := range everySpec() {
		f.Add(MarshalSpec(s))
	}
	f.Add([]byte(`{"kind":"linear","Name":"a","N":16,"K":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := UnmarshalSpec(data)
		if err != nil {
			return
		}
		again, err := UnmarshalSpec(MarshalSpec(s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%s: %+v, error %v", MarshalSpec(s), again, err)
		}
	})
}
