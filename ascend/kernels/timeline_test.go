package kernels

import (
	"context"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/kernel/scalar"
	"moge/ascend/soc"
)

// timeline runs a kernel for its predicted time alone; tensors that are missing are zeros.
func (r *rig) timeline(c *launch) *emu.Timeline {
	r.t.Helper()
	r.dev.Reset()
	p := r.programs[c.kernel]
	value := func(v *scalar.Var) int64 { return int64(c.params[v.Name]) }
	var args []emu.Arg
	for _, g := range p.Globals {
		args = append(args, emu.Tensor(r.place(g, c, value), g.Bytes(value), roleOf(g)))
	}
	for _, v := range p.Params {
		args = append(args, emu.Int32(int32(value(v))))
	}
	res, err := r.dev.Launch(context.Background(), emu.Launch{Kernel: p.Name, Blocks: cores,
		Args: args, Fast: true, Timeline: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Timeline
}

// usefulShare is the share of the time of a scenario that all cores together need to load so many
// bytes: in scenario 0 at the rate of a core, in scenario 1 at the rate of the chip's memory.
func usefulShare(t testing.TB, line *emu.Timeline, scenario int, bytes float64) float64 {
	t.Helper()
	c := chip(t)
	rate := float64(c.At(soc.DDRRate))
	if scenario == 1 {
		rate = float64(c.At(soc.DRAMRate)) / float64(c.At(soc.CubeClock)) / cores
	}
	return bytes / cores / rate / line.Scenarios[scenario].Cycles
}
