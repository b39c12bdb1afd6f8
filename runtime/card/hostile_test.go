package card

import (
	"context"
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
	atEmbed   = "step 0, LAUNCH at at.embed: "
	atRope    = "step 1, ROPE_TABLE at rope: "
	atWrite   = "step 2, LAUNCH at at.write: "
	atPrefill = "step 3, LAUNCH at at.prefill: "
	atDecode  = "step 4, LAUNCH at at.decode: "
)

// hostile is a manifest that package bundle accepts and no card can run.
type hostile struct {
	want   string
	change func(m *manifestOf, p *programOf)
}

var hostilePrograms = []hostile{
	// Limits.
	{"limits beyond 16777216",
		func(_ *manifestOf, p *programOf) { p.Limits.Context = 1<<24 + 1 }},
	{"input pages: 16 rows of 8 for 65537 sequences of 3 pages",
		func(_ *manifestOf, p *programOf) { p.Limits.MaxSeqs = 1<<16 + 1 }},

	// Buffers.
	{"buffer 5: elements of bf16",
		func(_ *manifestOf, p *programOf) { p.Buffers[bufRope].Dtype = bundlepb.DType_BF16 }},
	{"buffer 6: not a matrix of rows for tokens or logits",
		func(_ *manifestOf, p *programOf) { p.Buffers[bufX].Shape = dims(p, bufX)[:1] }},
	{"buffer 6: not a matrix of rows for tokens or logits",
		func(_ *manifestOf, p *programOf) {
			dims(p, bufX)[1], p.ArenaBytes = rowsOf(bundlepb.Scalar_T), 1<<20
		}},
	{"buffer 6: not a matrix of rows for tokens or logits",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[0].Scalar = bundlepb.Scalar_T_DP }},
	{"buffer 6: 0 rows of 16",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[0].Coef = 0 }},
	{"buffer 6: 16 rows of 0",
		func(_ *manifestOf, p *programOf) { dims(p, bufX)[1].Coef = 0 }},

	// States.
	{"state 1: elements of i8, want f16",
		func(_ *manifestOf, p *programOf) { p.States[1].Dtype = bundlepb.DType_I8 }},
	{"a page of the cache is larger than 31 bits reach",
		func(_ *manifestOf, p *programOf) { p.States[0].Heads, p.States[0].Width = 1<<20, 1<<20 }},

	// Inputs and outputs.
	{"input \"positions\": not one that the host fills, or not of its shape",
		func(_ *manifestOf, p *programOf) { p.Inputs[0].Name = "positions" }},
	{"input \"tokens\": not one that the host fills, or not of its shape",
		func(_ *manifestOf, p *programOf) { p.Inputs[0].Buffer = bufRows }},
	{"input \"tokens\": not one that the host fills, or not of its shape",
		func(_ *manifestOf, p *programOf) { p.Inputs[0].Buffer = bufX }},
	{"input \"rows\": not one that the host fills, or not of its shape",
		func(_ *manifestOf, p *programOf) { dims(p, bufRows)[0].Div = 17 }},
	{"input \"places\": not one that the host fills, or not of its shape",
		func(_ *manifestOf, p *programOf) { p.Inputs[2].Buffer = bufPages }},
	{"input pages: 3 rows of 8 for 4 sequences of 3 pages",
		func(_ *manifestOf, p *programOf) { dims(p, bufPages)[0].Coef = 3 }},
	{"input pages: 16 rows of 8 for 4 sequences of 9 pages",
		func(_ *manifestOf, p *programOf) { p.Limits.Context = 2049 }},
	{"input lengths: 8 elements for 9 sequences",
		func(_ *manifestOf, p *programOf) { p.Limits.MaxSeqs, dims(p, bufLengths)[0].Coef = 9, 1 }},
	{"output \"sums\": not rows of tokens or logits",
		func(_ *manifestOf, p *programOf) { p.Outputs[2].Buffer = bufX }},
	{"output \"sums\": not rows of tokens or logits",
		func(_ *manifestOf, p *programOf) { p.Outputs[2].Buffer = bufPages }},
	{"output \"sums\": not rows of tokens or logits",
		func(_ *manifestOf, p *programOf) {
			p.Outputs[2].Buffer, dims(p, bufRope)[0].Coef = bufRope, 8
		}},
	{"output \"logits\": not rows of tokens or logits",
		func(m *manifestOf, _ *programOf) { m.Model.VocabSize = 105 }},
	{"output \"experts.0\": not rows of tokens or logits",
		func(m *manifestOf, _ *programOf) { m.Model.ExpertsPerToken = 9 }},

	// Operations.
	{"step 6, COPY at at.head: only launches and rope tables run on a card",
		func(_ *manifestOf, p *programOf) {
			p.Steps[stepHead].Op, p.Steps[stepHead].Variant = bundlepb.OpCode_COPY, ""
		}},
	{atEmbed + "guards are not known",
		func(_ *manifestOf, p *programOf) {
			p.Steps[0].Guard = &bundlepb.Guard{Scalar: bundlepb.Scalar_T, Min: 1, Max: 2}
		}},

	// Tensors.
	{atEmbed + "tensor table of kernel embed has no memory that it may write",
		func(m *manifestOf, _ *programOf) { role(m, 1, 1, bundlepb.TensorRole_ROLE_IN_OUT) }},
	{atEmbed + "tensor table of kernel embed has no memory that it may write",
		func(m *manifestOf, _ *programOf) { role(m, 1, 1, bundlepb.TensorRole_ROLE_SCRATCH) }},
	{atWrite + "tensor x of kernel write has no memory that it may write",
		func(_ *manifestOf, p *programOf) { p.Steps[stepWrite].Args[0] = &bundlepb.Operand{} }},

	// Scalars.
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { p.Steps[stepEmbed].Attrs = nil }},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { attr(p, stepEmbed, "tokens").Value = list(1) }},
	{atEmbed + "scalar tokens has no value that a step gives",
		func(_ *manifestOf, p *programOf) { attr(p, stepEmbed, "tokens").Value = list(1, 3) }},
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
	{atEmbed + "count is a number of attention alone",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepEmbed, "tokens").Value = text("count")
		}},

	// Repetition.
	{atPrefill + "each is \"token\"",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each").Value = text("token")
		}},
	{atPrefill + "count is a number of attention alone",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each").Value = integer(1)
		}},
	{atPrefill + "each_rows names tensor 5 of 5",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(0, 5) }},
	{atPrefill + "each_rows names tensor -1 of 5",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(-1) }},
	{atPrefill + "each_rows names tensor 1, which is no buffer",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(1) }},
	{atPrefill + "each_tables names tensor 0, which has no row for each",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_tables").Value = list(0) }},
	{atPrefill + "each_rows names tensor 3, which has no row for each",
		func(_ *manifestOf, p *programOf) { attr(p, stepPrefill, "each_rows").Value = list(3) }},
	{atPrefill + "each_tables names tensor 4, which has no row for each",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepPrefill, "each_rows").Value, attr(p, stepPrefill, "each_tables").Value = list(0), list(4)
		}},
	{atPrefill + "each_tables names tensor 3, which has no row for each",
		func(_ *manifestOf, p *programOf) { p.Steps[stepPrefill].Args[3] = onBuffer(bufWork) }},

	// The table of angles.
	{atRope + "the table is not f32[T,6]",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "dim").Value = integer(7)
		}},
	{atRope + "the table is not f32[T,1048576]",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "dim").Value = integer(1 << 40)
		}},
	{atRope + "dim 8, theta 0, 1 results",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "theta").Value = integer(1)
		}},
	{atRope + "dim 8, theta NaN, 1 results",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "theta").Value = &bundlepb.Attr_F{F: math.NaN()}
		}},
	{atRope + "dim 8, theta 10000, 0 results",
		func(_ *manifestOf, p *programOf) { p.Steps[stepRope].Results = nil }},
	{atRope + "the table is no buffer",
		func(_ *manifestOf, p *programOf) { p.Steps[stepRope].Results[0] = onState(0) }},
	{atRope + "the table is not f32[T,8]",
		func(_ *manifestOf, p *programOf) { p.Steps[stepRope].Results[0] = onBuffer(bufOut) }},
	{atRope + "the table is not f32[T,6]",
		func(_ *manifestOf, p *programOf) {
			attr(p, stepRope, "dim").Value = integer(6)
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

// errAccepted is that of a card which is asked for.
var errAccepted = errors.New("the program was accepted")

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
	accepted := func(context.Context, *bundle.Bundle, int64) (Card, error) { return nil, errAccepted }
	_, err := New("fake", accepted).Load(b, 0, device.Options{})
	place := filepath.Join(b.Dir(), bundle.ManifestName) + `: program "step": `
	wantError(t, err, place+want+"; compile it anew with this version")
	var e *bundle.Error
	if !errors.As(err, &e) || !e.Invalid() {
		t.Errorf("%v does not blame the bundle", err)
	}
}
