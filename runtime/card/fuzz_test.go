package card

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/runtime/device"
)

// FuzzLoad: a program of any bytes that package bundle accepts is refused, or runs: whatever it hands
// to the card lies in what it allocated, which the fake checks.
func FuzzLoad(f *testing.F) {
	b := opened(f, manifest())
	m := b.Manifest()
	for _, change := range []func(p *bundlepb.Program){
		func(*bundlepb.Program) {},
		func(p *bundlepb.Program) { p.Limits.MaxBatchTokens = 1 },
		func(p *bundlepb.Program) { p.States = nil; p.Steps = p.Steps[:2] },
		func(p *bundlepb.Program) { p.Inputs, p.Outputs = nil, nil },
		func(p *bundlepb.Program) { p.Steps[stepDecode].Attrs[0] = word("each", "prefill") },
		func(p *bundlepb.Program) { p.Limits.MaxLogitsRows = 0 },
	} {
		p := manifest().Programs[0]
		change(p)
		raw, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &bundlepb.Program{}
		if proto.Unmarshal(raw, p) != nil {
			return
		}
		m.Programs = []*bundlepb.Program{p}
		if bundle.Validate(m, true) != nil {
			return
		}
		c := &fake{t: t, idle: true, most: 64 << 20}
		r, err := New("fake", c.open).Load(b, 0, device.Options{CacheRows: 1024})
		if err != nil {
			return
		}
		defer r.Close()
		runAll(t, r)
	})
}

// runAll runs steps as large as the limits allow and reads all outputs.
func runAll(t *testing.T, r device.Runner) {
	l := r.Limits()
	var b device.Batch
	for s := 0; s < min(l.Seqs, 4); s++ {
		for p := range min(l.Context, 1+5*s, l.BatchTokens-len(b.Tokens)) {
			if len(b.Rows) < l.LogitsRows {
				b.Rows = append(b.Rows, int32(len(b.Tokens)))
			}
			b.Tokens, b.Positions = append(b.Tokens, 1), append(b.Positions, int32(p))
			b.Sequences = append(b.Sequences, int32(s))
		}
	}
	if err := r.Run(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	for name := range r.(*runner).outputs {
		_, errF := r.Floats(name)
		_, errI := r.Ints(name)
		if errF != nil && errI != nil {
			t.Errorf("output %s: %v, %v", name, errF, errI)
		}
	}
}
