package codegen_test

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"moge/codegen"
	"moge/codegen/weights"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
)

// both gives the first half of a unit's extents, and the complement of each byte in the second.
type both struct{ codegen.Evaluator }

func (b both) Eval(src weights.Source, lo, hi int64, out [][]byte) error {
	half := len(out) / 2
	if err := b.Evaluator.Eval(src, lo, hi, out[:half]); err != nil {
		return err
	}
	for i, first := range out[:half] {
		for j, v := range first {
			out[half+i][j] = ^v
		}
	}
	return nil
}

// twoRanks has units that give bytes of two ranks at once.
func twoRanks(t *testing.T) *codegen.Plan {
	p := planOf(t, smallGraph(t))
	second := proto.CloneOf(p.Manifest.Ranks[0])
	second.Index, second.File = 1, bundle.RankFile(1)
	p.Manifest.Ranks = append(p.Manifest.Ranks, second)
	p.Manifest.Placement = &bundlepb.Placement{Devices: 2, Attention: &bundlepb.Degrees{Dp: 2}}
	for i, u := range p.Units {
		extents := append([]codegen.Extent{}, u.Extents...)
		for _, e := range u.Extents {
			e.Rank = 1
			extents = append(extents, e)
		}
		p.Units[i].Extents, p.Units[i].Eval = extents, both{u.Eval}
	}
	return p
}

// Stopped after any unit, the next execution completes the files of both ranks to the same bytes, which
// are those that the evaluator gave for each.
func TestExecuteWritesEveryRank(t *testing.T) {
	src := randomWeights(smallGraph(t))
	var want map[string]string
	for stop := range int64(len(twoRanks(t).Units) + 1) {
		fs, p := disk(t), twoRanks(t)
		var units, again atomic.Int64
		broken := errors.New("stop")
		wrap(p, func() error {
			if units.Add(1) == stop {
				return broken
			}
			return nil
		})
		w := create(t, fs, p, false)
		err := codegen.Execute(context.Background(), p, src, w, codegen.Execution{Workers: 2})
		if stop > 0 {
			if err = errors.Join(w.Suspend(), is(err, broken)); err == nil {
				w = create(t, fs, p, true)
				err = codegen.Execute(context.Background(), p, src, w,
					codegen.Execution{Evaluated: func(_ string, n int64) { again.Add(n) }})
			}
		}
		if err := errors.Join(err, w.Finish()); err != nil {
			t.Fatal(err)
		}
		if n := again.Load(); stop > 0 && (n == 0 || n > bundle.WeightBytes(p.Manifest)) {
			t.Errorf("stopped at unit %d: %d bytes again", stop, n)
		}
		if got := fs.Snapshot("out"); want == nil {
			want = got
			complements(t, got, p.Manifest.Ranks[0].Sections)
		} else if !maps.Equal(got, want) {
			t.Errorf("stopped at unit %d: the bytes differ", stop)
		}
	}
}

func is(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return errors.Join(errors.New("another error"), err)
}

func complements(t *testing.T, files map[string]string, sections []*bundlepb.Section) {
	t.Helper()
	first, second := files["m.moge/"+bundle.RankFile(0)], files["m.moge/"+bundle.RankFile(1)]
	for _, s := range sections {
		for i := s.Offset; i < s.Offset+s.Size; i++ {
			if first[i] != ^second[i] {
				t.Fatalf(
					"section %s: byte %d of the two ranks is %d and %d",
					s.Name,
					i-s.Offset,
					first[i],
					second[i],
				)
			}
		}
	}
}
