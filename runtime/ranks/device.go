package ranks

import (
	"errors"
	"fmt"
	"runtime"

	"moge/formats/bundle"
	"moge/runtime/comm"
	"moge/runtime/device"
	"moge/runtime/kv"
)

// New is a device that runs every rank of a bundle on inner, in one process. It has the name of inner,
// and is inner for bundles of one rank.
func New(inner device.Device) device.Device { return all{inner} }

// all is every rank of a bundle.
type all struct{ inner device.Device }

func (a all) Name() string { return a.inner.Name() }

// Load loads each rank, all of which must be open. The threads of the options are shared out, at least
// one to each rank. A group's cache holds Options.CacheRows positions, or those of all its sequences if
// they are fewer. Without Options.RankTap rank 0 has Options.Tap.
func (a all) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	m := b.Manifest()
	n := len(m.Ranks)
	if n == 1 || opt.Ranks > 1 {
		return a.inner.Load(b, program, opt)
	}
	if program < 0 || program >= len(m.Programs) {
		return nil, fmt.Errorf("%s: there is no program %d, the bundle has %d", b.Dir(), program,
			len(m.Programs))
	}
	limits := m.Programs[program].Limits
	r := &runner{
		bundle:     b.Dir(),
		world:      comm.NewWorld(n),
		vocabulary: m.Model.GetVocabSize(),
		outputs:    map[string]bool{},
		split:      split{groups: device.GroupsOf(m)},
		head:       int(max(m.GetPlacement().GetHeadTp(), 1)),
		router:     routerOf(m),
	}
	if r.head > 1 && r.vocabulary < 1 {
		return nil, fmt.Errorf("%s: logits are cut for %d ranks, and the vocabulary is not known", b.Dir(),
			r.head)
	}
	for _, p := range m.Programs[program].Outputs {
		r.outputs[p.Name] = true
	}
	opt.CacheRows = r.cacheRows(opt, limits.MaxSeqs, limits.Context)
	for i := range n {
		rank, err := a.inner.Load(b, program, r.options(opt, i, n))
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.start(i, rank)
	}
	r.limits = r.workers[0].runner.Limits()
	r.limits.Seqs = int(limits.MaxSeqs)
	r.before = make([]int, r.limits.Seqs)
	return r, nil
}

// cacheRows is 0, for all there is to hold, where more is asked for.
func (r *runner) cacheRows(opt device.Options, seqs, context int64) int64 {
	if opt.Context > 0 {
		context = min(context, opt.Context)
	}
	pages := (context + kv.DefaultPageTokens - 1) / kv.DefaultPageTokens
	if opt.CacheRows >= int64(r.split.groups.Seqs(int(seqs)))*pages*kv.DefaultPageTokens {
		return 0
	}
	return opt.CacheRows
}

// options are those of rank i of n.
func (r *runner) options(opt device.Options, i, n int) device.Options {
	threads := opt.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if threads > 0 {
		opt.Threads = max(threads/n, 1)
		if i < threads%n && threads > n {
			opt.Threads++
		}
	}
	if opt.RankTap != nil {
		opt.Tap = opt.RankTap(i)
	} else if i > 0 {
		opt.Tap = nil
	}
	opt.Rank, opt.Ranks, opt.Comm = i, n, r.world.Rank(i)
	return opt
}
