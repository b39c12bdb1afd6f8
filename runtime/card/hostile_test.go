package card

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/device"
)

type (
	manifestOf = bundlepb.Manifest
	programOf  = bundlepb.Program
)

func dims(p *programOf, buffer int) []*bundlepb.Dim { return p.Buffers[buffer].Shape }

// attr is an attribute that a step of the small program has.
func attr(p *programOf, step int, name string) *bundlepb.Attr {
	for _, a := range p.Steps[step].Attrs {
		if a.Name == name {
			return a
		}
	}
	panic("BUG: no attribute " + name)
}

func list(v ...int64) *bundlepb.Attr_Ints {
	return &bundlepb.Attr_Ints{Ints: &bundlepb.Ints{Values: v}}
}

func text(s string) *bundlepb.Attr_S { return &bundlepb.Attr_S{S: s} }

func integer(v int64) *bundlepb.Attr_I { return &bundlepb.Attr_I{I: v} }

func role(m *manifestOf, kernel, tensor int, r bundlepb.TensorRole) {
	m.Kernels[kernel].Tensors[tensor].Role = r
}

const (
	atEmbed   = "step 0, LAUNCH embed at at.embed: "
	atRope    = "step 1, ROPE_TABLE at rope: "
	atWrite   = "step 2, LAUNCH write at at.write: "
	atPrefill = "step 3, LAUNCH prefill at at.prefill: "
	atDecode  = "step 4, LAUNCH decode at at.decode: "
)

// hostile is a manifest that package bundle accepts and no card can run.
type hostile struct {
	want   string
	change func(m *manifestOf, p *programOf)
}

var hostilePrograms = []hostile{
	// Limits.
	{"limits beyond 16777216 tokens or 65536 sequences",
		func(_ *manifestOf, p *programOf) { p.Limits.Context = 1<<24 + 1 }},
	{"limits beyond 16777216 tokens or 65536 sequences",
		func(_ *manifestOf, p *programOf) { p.Limits.MaxSeqs = 1<<16 + 1 }},

	// Buffers.
	{"buffer 5: elements of bf16, want f32, f16, i32 or i8",
		func(_ *manifestOf, p *programOf) { p.Buffers[bufRope].Dtype = bundlepb.DType_BF16 }},
	{"buffer 6: not a matrix of rows for tokens or logits",
		func(_ *manifestOf, p *programOf) { p.Buffers[bufX].Shape = dims(p, bufX)[:1] }},
	{"buffer 6: not a matrix of rows for tokens or logits",
		func(_ *manifestOf, p *programOf) {
			dims(p, bufX)[1], p.ArenaBytes = rowsOf(bundlepb.Scalar_T), 1<<20
		}},
	{"buffer 6: not a matrix of rows for tokens or logits",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[0].Scalar = bundlepb.Scalar_T_DP }},
	{"buffer 6: 16 rows of 30 bytes, want rows of whole 32 bytes",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[1].Coef = 15 }},
	{"buffer 6: 0 rows of 32 bytes, want rows of whole 32 bytes",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[0].Coef = 0 }},
	{"buffer 6: 16 rows of 0 bytes, want rows of whole 32 bytes",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[1].Coef = 0 }},

	// States.
	{"state 1: elements of i8, want f16",
		func(_ *manifestOf, p *programOf) { p.States[1].Dtype = bundlepb.DType_I8 }},
	{"a page of the cache has more elements than 31 bits count",
		func(_ *manifestOf, p *programOf) { p.States[0].Heads, p.States[0].Width = 1<<20, 1<<20 }},

	// Inputs and outputs.
	{"input positions: this device does not supply it",
		func(_ *manifestOf, p *programOf) { p.Inputs[0].Name = "positions" }},
	{"input tokens: not a buffer of i32 with a row of 1 for each of T",
		func(_ *manifestOf, p *programOf) { p.Inputs[0].Buffer = bufRows }},
	{"input tokens: not a buffer of i32 with a row of 1 for each of T",
		func(_ *manifestOf, p *programOf) { p.Inputs[0].Buffer = bufX }},
	{"input rows: not a buffer of i32 with a row of 1 for each of L",
		func(_ *manifestOf, p *programOf) { dims(p, bufRows)[0].Div = 17 }},
	{"input places: not a buffer of i32 with a row of 2 for each of T",
		func(_ *manifestOf, p *programOf) { p.Inputs[2].Buffer = bufPages }},
	{"input pages: 3 rows of 8 for 4 sequences of 3 pages",
		func(_ *manifestOf, p *programOf) { dims(p, bufPages)[0].Coef = 3 }},
	{"input pages: 16 rows of 8 for 4 sequences of 9 pages",
		func(_ *manifestOf, p *programOf) { p.Limits.Context = 2049 }},
	{"input lengths: 8 elements for 9 sequences",
		func(_ *manifestOf, p *programOf) { p.Limits.MaxSeqs, dims(p, bufLengths)[0].Coef = 9, 1 }},
	{"output sums: elements of f16, want f32 or i32",
		func(_ *manifestOf, p *programOf) { p.Outputs[2].Buffer = bufX }},
	{"output sums: no row for each token or for each row of logits",
		func(_ *manifestOf, p *programOf) { p.Outputs[2].Buffer = bufPages }},
	{"output sums: no row for each token or for each row of logits",
		func(_ *manifestOf, p *programOf) {
			p.Outputs[2].Buffer, dims(p, bufRope)[0].Coef = bufRope, 8
		}},
	{"output logits: rows of 105 elements in a buffer with 104",
		func(m *manifestOf, _ *programOf) { m.Model.VocabSize = 105 }},
	{"output logits: rows of 0 elements in a buffer with 104",
		func(m *manifestOf, _ *programOf) { m.Model.VocabSize = 0 }},
	{"output experts.0: rows of 9 elements in a buffer with 8",
		func(m *manifestOf, _ *programOf) { m.Model.ExpertsPerToken = 9 }},

	// Operations.
	{"step 6, COPY at at.head: this device has no such operation; a newer version may",
		func(_ *manifestOf, p *programOf) {
			p.Steps[stepHead].Op, p.Steps[stepHead].Variant = bundlepb.OpCode_COPY, ""
		}},
	{atEmbed + "a guard, which this device does not know; a newer version may",
		func(_ *manifestOf, p *programOf) {
			p.Steps[0].Guard = &bundlepb.Guard{Scalar: bundlepb.Scalar_T, Min: 1, Max: 2}
		}},

	// Tensors.
	{atEmbed + "tensor table is a section, which the kernel would write",
		func(m *manifestOf, _ *programOf) { role(m, 1, 1, bundlepb.TensorRole_ROLE_IN_OUT) }},
	{atEmbed + "tensor table is a section, which the kernel would write",
		func(m *manifestOf, _ *programOf) { role(m, 1, 1, bundlepb.TensorRole_ROLE_SCRATCH) }},
	{atWrite + "tensor keys is a state, which the kernel would not keep",
		func(m *manifestOf, _ *programOf) { role(m, 5, 3, bundlepb.TensorRole_ROLE_OUT) }},
	{atWrite + "tensor keys is a state, which the kernel would not keep",
		func(m *manifestOf, _ *programOf) { role(m, 5, 3, bundlepb.TensorRole_ROLE_ZEROED) }},
	{atWrite + "tensor x has no memory",
		func(_ *manifestOf, p *programOf) { p.Steps[stepWrite].Args[0] = &bundlepb.Operand{} }},
	{atWrite + "tensors keys and values share memory",
		func(_ *manifestOf, p *programOf) { p.Steps[stepWrite].Args[4] = onState(0) }},
	{atEmbed + "tensors ids and out share memory",
		func(_ *manifestOf, p *programOf) { p.Steps[stepEmbed].Args[0] = onBuffer(bufX) }},
	{atWrite + "tensors x and work share memory", // in the last of its rows
		func(_ *manifestOf, p *programOf) {
			p.Buffers[bufWork].Offset = p.Buffers[bufX].Offset + 31/2*64
		}},

	// Scalars.
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { p.Steps[stepEmbed].Attrs = nil }},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { attr(p, stepEmbed, "tokens").Value = list(1) }},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { attr(p, stepEmbed, "tokens").Value = list(1, 4) }},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { attr(p, stepEmbed, "tokens").Value = list(1, 1<<32+1) }},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { attr(p, stepEmbed, "tokens").Value = list(0, perT) }},
	{atEmbed + "scalar tokens has no value that a step gives", // 2^26 · 32 tokens
		func(_ *manifestOf, p *programOf) {
			attr(p, stepEmbed, "tokens").Value = list(1<<26, perT)
		}},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepEmbed, "tokens").Value = integer(math.MaxInt32 + 1)
		}},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepEmbed, "tokens").Value = &bundlepb.Attr_F{F: 1}
		}},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepEmbed, "tokens").Value = text("count")
		}},
	{atDecode + "scalar sequences has no value that a step gives",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepDecode, "sequences").Value = text("start")
		}},
	{atPrefill + "scalar start has no value that a step gives",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "start").Value = text("sequences")
		}},
	{atWrite + "attribute zzz is not known",
		func(_ *manifestOf, p *programOf) {
			p.Steps[stepWrite].Attrs = append(p.Steps[stepWrite].Attrs, number("zzz", 1))
		}},

	// Repetition.
	{atPrefill + "attribute each is neither decode nor prefill",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each").Value = text("token")
		}},
	{atPrefill + "attribute each is neither decode nor prefill",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each").Value = integer(1)
		}},
	{atPrefill + "attribute each_rows is no list of tensors of a launch for each sequence",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each").Value = text("decode")
		}},
	{atPrefill + "attribute each_rows is no list of tensors of a launch for each sequence",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each_rows").Value = integer(1)
		}},
	{atPrefill + "attribute each_rows: tensor 5 of 5",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(0, 5) }},
	{atPrefill + "attribute each_rows: tensor -1 of 5",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(-1) }},
	{atPrefill + "attribute each_rows: tensor keys is no buffer, or listed twice",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(1) }},
	{atPrefill + "attribute each_tables: tensor q is no buffer, or listed twice",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_tables").Value = list(0) }},
	{atPrefill + "attribute each_rows: tensor pages has no row for each token",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(3) }},
	{atPrefill + "attribute each_tables: tensor out has no row for each sequence",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each_rows").Value, attr(p, stepPrefill, "each_tables").Value = list(0), list(4)
		}},
	{atPrefill + "attribute each_tables: tensor pages has no row for each sequence",
		func(_ *manifestOf, p *programOf) { p.Steps[stepPrefill].Args[3] = onBuffer(bufWork) }},

	// The table of angles.
	{atRope + "dim 7 with theta 10000",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "dim").Value = integer(7)
		}},
	{atRope + "dim 1099511627776 with theta 10000",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "dim").Value = integer(1 << 40)
		}},
	{atRope + "dim 8 with theta 0",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "theta").Value = integer(1)
		}},
	{atRope + "dim 8 with theta NaN",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "theta").Value = &bundlepb.Attr_F{F: math.NaN()}
		}},
	{atRope + "0 arguments and 0 results",
		func(_ *manifestOf, p *programOf) { p.Steps[stepRope].Results = nil }},
	{atRope + "result 0 is not a buffer",
		func(_ *manifestOf, p *programOf) { p.Steps[stepRope].Results[0] = onState(0) }},
	{atRope + "result 0 is not f32 with a row of 8 for each token",
		func(_ *manifestOf, p *programOf) { p.Steps[stepRope].Results[0] = onBuffer(bufOut) }},
	{atRope + "result 0 is not f32 with a row of 6 for each token",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "dim").Value = integer(6)
		}},
	{atRope + "attribute scale is not known",
		func(_ *manifestOf, p *programOf) {
			s := p.Steps[stepRope]
			s.Attrs = []*bundlepb.Attr{number("dim", 8), number("scale", 1), s.Attrs[1]}
		}},
}

// TestHostilePrograms loads each as if it were that of one bundle.
func TestHostilePrograms(t *testing.T) {
	b := opened(t, manifest())
	for _, c := range hostilePrograms {
		m := manifest()
		c.change(m, m.Programs[0])
		checkHostile(t, b, m, c.want)
	}
}

// checkHostile loads the program of a manifest that is valid in the eyes of package bundle, as if it
// were that of b.
func checkHostile(t *testing.T, b *bundle.Bundle, m *bundlepb.Manifest, want string) {
	t.Helper()
	if err := bundle.Validate(m, false); err != nil {
		t.Errorf("not for this test: %v", err)
		return
	}
	own := b.Manifest()
	own.Programs, own.Kernels, own.Model = m.Programs, m.Kernels, m.Model
	_, err := New("fake", nil).Load(b, 0, device.Options{})
	place := filepath.Join(b.Dir(), bundle.ManifestName) + `: program "step": `
	wantError(t, err, place+want+"; compile it anew with this version")
	var e *bundle.Error
	if !errors.As(err, &e) || !e.Invalid() {
		t.Errorf("%v does not blame the bundle", err)
	}
}
