package cpucard

import (
	"context"
	"encoding/binary"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/runtime/card"
)

// small is a specification of each kind, with what it takes: sizes in bytes at the values of the
// scalars, which are small too.
var small = []struct {
	spec    string
	scalars map[string]int32
	bytes   map[string]int
}{
	{`{"kind":"embed","Name":"embed","Width":16,"TableRows":3,"MaxTokens":4,"Step":false}`,
		map[string]int32{"tokens": 2}, map[string]int{"ids": 64, "table": 96, "out": 64}},
	{`{"kind":"embed","Name":"take","Width":16,"TableRows":9,"MaxTokens":4,"Step":true}`,
		map[string]int32{"tokens": 2, "tableRows": 3}, map[string]int{"ids": 64, "table": 96, "out": 64}},
	{
		`{"kind":"norm","Name":"norm","Width":32,"MaxRows":4,"Eps":0.00001,"Add":true,"Half":true,"Int8":true,` +
			`"Static":false}`,
		map[string]int32{
			"rows": 2,
		},
		map[string]int{"x": 128, "y": 128, "weight": 64, "sum": 128, "out": 128,
			"q": 64, "scale": 64},
	},
	{
		`{"kind":"norm","Name":"norm_static","Width":32,"MaxRows":4,"Eps":0.00001,"Add":false,"Half":false,` +
			`"Int8":true,"Static":true}`,
		map[string]int32{"rows": 2},
		map[string]int{"x": 128, "weight": 64, "fixedScale": 32, "q": 64},
	},
	{`{"kind":"quantize","Name":"quantize","Width":32,"MaxRows":4,"Static":false}`,
		map[string]int32{"rows": 2}, map[string]int{"x": 128, "q": 64, "scale": 64}},
	{
		`{"kind":"linear","Name":"linear","N":32,"K":48,"MaxRows":4,"Bias":true,"Quantize":true,"SwiGLU":true,` +
			`"Static":false,"Rows":0,"Tiling":{"Parts":8}}`,
		map[string]int32{
			"rows": 2,
		},
		map[string]int{"x": 192, "weight": 2048, "weightScale": 128, "bias": 128,
			"y": 64},
	},
	{`{"kind":"linear","Name":"linear_plain","N":16,"K":32,"MaxRows":4,"Bias":false,"Quantize":false,` +
		`"SwiGLU":false,"Static":false,"Rows":0,"Tiling":{}}`,
		map[string]int32{"rows": 2}, map[string]int{"x": 64, "xScale": 64, "weight": 512, "weightScale": 64,
			"y": 64}},
	{
		`{"kind":"grouped_gate_up","Name":"up","Experts":2,"Hidden":32,"Width":16,"MaxRows":8,"Static":false,` +
			`"Rows":0,"Tiling":{},"Few":{"Parts":1}}`,
		map[string]int32{"rows": 3},
		map[string]int{"x": 96, "xScale": 96, "offsets": 32, "weight": 2048,
			"weightScale": 256, "y": 96},
	},
	{
		`{"kind":"grouped_down","Name":"down","Experts":2,"Hidden":32,"Width":16,"MaxRows":8,"Static":true,` +
			`"Rows":0,"Tiling":{},"Few":{}}`,
		map[string]int32{
			"rows": 3,
		},
		map[string]int{"x": 96, "fixedScale": 32, "offsets": 32, "weight": 2048,
			"weightScale": 256, "y": 192},
	},
	{`{"kind":"head","Name":"head","Vocab":20,"Width":32,"MaxRows":4,"Eps":0.00001,"Int8":false,` +
		`"Static":false,"Rows":0,"Tiling":{}}`,
		map[string]int32{
			"rows": 2,
		}, map[string]int{"x": 128, "normWeight": 64, "weight": 2048, "logits": 192}},
	{`{"kind":"head","Name":"head_int8","Vocab":20,"Width":32,"MaxRows":4,"Eps":0.00001,"Int8":true,` +
		`"Static":false,"Rows":0,"Tiling":{}}`,
		map[string]int32{"rows": 2}, map[string]int{"x": 128, "normWeight": 64, "weight": 1024,
			"weightScale": 128, "logits": 192}},
	{`{"kind":"top_scan","Name":"scan","Vocabulary":20,"Count":8,"MaxRows":4}`,
		map[string]int32{"rows": 2}, map[string]int{"logits": 192, "maxima": 512, "parts": 128}},
	{`{"kind":"top_pick","Name":"pick","Vocabulary":20,"Count":8,"MaxRows":4}`,
		map[string]int32{"rows": 2}, map[string]int{"logits": 192, "maxima": 512, "parts": 128, "stats": 64,
			"values": 64, "ids": 64}},
	{`{"kind":"gate","Name":"gate","Width":16,"Experts":6,"Groups":3,"MaxTokens":4,"LocalGroups":2,` +
		`"Scale":true,"VoteKeep":1}`,
		map[string]int32{"tokens": 2, "firstGroup": 1}, map[string]int{"x": 64, "router": 512, "scale": 24,
			"weights": 64, "ids": 64}},
	{`{"kind":"route","Name":"route","Experts":3,"PerToken":2,"MaxTokens":4,"Ascending":false}`,
		map[string]int32{"tokens": 2}, map[string]int{"ids": 64, "order": 32, "sources": 32, "offsets": 32,
			"places": 64, "picks": 64}},
	{`{"kind":"dispatch","Name":"dispatch","Width":32,"PerToken":2,"MaxTokens":4,"Static":false}`,
		map[string]int32{"tokens": 2}, map[string]int{"q": 64, "scale": 64, "sources": 16, "rows": 128,
			"rowScale": 128}},
	{`{"kind":"combine","Name":"combine","Width":16,"PerToken":2,"MaxTokens":4,"Ascending":false,` +
		`"Shared":true}`,
		map[string]int32{"tokens": 2}, map[string]int{"rows": 128, "places": 64, "picks": 64, "weights": 64,
			"shared": 64, "out": 64}},
	{`{"kind":"rotary","Name":"rotary","Heads":2,"KVHeads":1,"Dim":16,"MaxTokens":4,"MaxPages":2}`,
		map[string]int32{"tokens": 2, "pages": 2}, map[string]int{"qkv": 256, "rope": 128, "places": 64,
			"q": 128, "keys": 16384, "values": 16384}},
	{`{"kind":"attention_decode","Name":"decode","Heads":2,"KVHeads":1,"Dim":16,"Scale":0.25,` +
		`"MaxSequences":4,"MaxPages":2,"PoolPages":2,"HeadsPerUnit":1,"Parts":1}`,
		map[string]int32{"sequences": 2, "poolPages": 2}, map[string]int{"q": 128, "keys": 16384,
			"values": 16384, "pages": 64, "lengths": 8, "out": 128}},
	{`{"kind":"attention_prefill","Name":"prefill","Heads":2,"KVHeads":1,"Dim":16,"Scale":0.25,` +
		`"MaxTokens":4,"MaxPages":2,"PoolPages":2}`,
		map[string]int32{"tokens": 2, "start": 255, "poolPages": 2}, map[string]int{"q": 128, "keys": 16384,
			"values": 16384, "pages": 32, "out": 128}},
}

// described is a kernel with the tensors and scalars of its kind.
func described(t testing.TB, spec string) *bundlepb.Kernel {
	t.Helper()
	s, err := parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	k := &bundlepb.Kernel{Name: "k", Spec: []byte(spec)}
	sig := s.signature()
	for _, list := range []struct {
		names []string
		role  bundlepb.TensorRole
	}{{sig.in, bundlepb.TensorRole_ROLE_IN}, {sig.out, bundlepb.TensorRole_ROLE_OUT},
		{sig.inOut, bundlepb.TensorRole_ROLE_IN_OUT}} {
		for _, name := range list.names {
			k.Tensors = append(k.Tensors, &bundlepb.KernelTensor{Name: name, Role: list.role})
		}
	}
	for _, v := range sig.scalars {
		k.Scalars = append(k.Scalars, v.name)
	}
	return k
}

// rig is a card with kernel k, and a launch of it: inputs are zeros.
type rig struct {
	t      testing.TB
	card   card.Card
	kernel *bundlepb.Kernel
	launch card.Launch
}

// newRig has the tensors and scalars of a row of small, whose work is shared out however little it is.
func newRig(t testing.TB, i, threads int) *rig {
	t.Helper()
	r := &rig{t: t, kernel: described(t, small[i].spec)}
	var err error
	if r.card, err = New(threads, r.kernel); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.card.Close() })
	r.card.(*chip).least = 1
	r.launch.Kernel = "k"
	for _, k := range r.kernel.Tensors {
		r.launch.Tensors = append(r.launch.Tensors, r.memory(small[i].bytes[k.Name]))
	}
	for _, name := range r.kernel.Scalars {
		r.launch.Scalars = append(r.launch.Scalars, small[i].scalars[name])
	}
	return r
}

func (r *rig) memory(bytes int) card.Tensor {
	at, err := r.card.Alloc(int64(bytes))
	if err != nil {
		r.t.Fatal(err)
	}
	return card.Tensor{At: at, Bytes: int64(bytes)}
}

// place is the number of a tensor.
func (r *rig) place(name string) int {
	for i, k := range r.kernel.Tensors {
		if k.Name == name {
			return i
		}
	}
	r.t.Fatalf("no tensor %s", name)
	return 0
}

// put writes i32 from element at on.
func (r *rig) put(name string, at int, values ...int32) {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	if err := r.card.Write(r.launch.Tensors[r.place(name)].At+card.Addr(4*at), data); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run() error { return r.card.Launch(context.Background(), r.launch) }

// read is what a tensor holds.
func (r *rig) read(name string) []byte {
	m := r.launch.Tensors[r.place(name)]
	data := make([]byte, m.Bytes)
	if err := r.card.Read(m.At, data); err != nil {
		r.t.Fatal(err)
	}
	return data
}

// halves is values as halves.
func halves(values ...float32) []byte {
	data := make([]byte, 2*len(values))
	dtype.Encode(dtype.F16, data, values)
	return data
}
