package card

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"moge/formats/bundle"
	"moge/formats/mapped"
	"moge/runtime/device"
)

// TestUpload: sections are on the card as they are in the file, those that share bytes once, and the
// pools are zeros.
func TestUpload(t *testing.T) {
	c, r := loaded(t, device.Options{CacheRows: 1})
	for i, s := range r.rank.Sections() {
		if got := c.span("section", r.sections[i], s.Size); !bytes.Equal(got, content(i, s.Size)) {
			t.Errorf("section %s differs", s.Name)
		}
	}
	if r.sections[0] != r.sections[1] || r.sections[0] == r.sections[2] {
		t.Errorf("sections are at %v", r.sections)
	}
	for i, at := range r.states {
		pool := c.span("state", at, PageRows*width*2)
		if len(bytes.TrimLeft(pool, "\x00")) != 0 {
			t.Errorf("pool %d is not zero", i)
		}
	}
	if len(c.blocks) != 5 { // arena, two states, two sections
		t.Errorf("%d allocations, want 5", len(c.blocks))
	}
}

func TestNames(t *testing.T) {
	if got := New("fake", nil).Name(); got != "fake" {
		t.Error(got)
	}
}

func TestOptions(t *testing.T) {
	b := opened(t, manifest())
	for _, c := range []struct {
		opt     device.Options
		pages   int
		context int
	}{
		{device.Options{}, 3 * seqLimit, contextLimit},
		{device.Options{CacheRows: 1}, 1, contextLimit},
		{device.Options{CacheRows: 256}, 1, contextLimit},
		{device.Options{CacheRows: 257}, 2, contextLimit},
		{device.Options{CacheRows: 1 << 40}, 3 * seqLimit, contextLimit},
		{device.Options{CacheRows: math.MaxInt64}, 3 * seqLimit, contextLimit},
		{device.Options{Context: 256}, seqLimit, 256},
		{device.Options{Context: 257, CacheRows: 400, Threads: 7}, 2, 257},
	} {
		l, err := check(b, 0, c.opt)
		if err != nil {
			t.Fatal(err)
		}
		if l.pages != c.pages || l.limits.Context != c.context {
			t.Errorf("%+v: %d pages, context %d", c.opt, l.pages, l.limits.Context)
		}
	}
	for want, opt := range map[string]device.Options{
		"context 601 is more than the 600 positions that " + b.Dir() + " was compiled for": {Context: 601},
		"context -1, cache of 0 positions: none can be negative":                           {Context: -1},
		"context 0, cache of -1 positions: none can be negative":                           {CacheRows: -1},
	} {
		_, err := New("fake", nil).Load(b, 0, opt)
		wantError(t, err, want)
	}
	_, err := New("fake", nil).Load(b, 1, device.Options{})
	wantError(t, err, b.Dir()+": there is no program 1, the bundle has 1")
}

func TestOtherBundles(t *testing.T) {
	m := manifest()
	m.Targets, m.Kernels, m.Programs[0].Steps = []string{"cpu"}, nil, nil
	b := opened(t, m)
	_, err := New("fake", nil).Load(b, 0, device.Options{})
	wantError(t, err, b.Dir()+": the bundle is for cpu and has no kernels for a card; "+
		"run it with --device cpu, or compile it with --target 300i-duo")
	closed, err := bundle.Open(written(t, manifest()), bundle.OpenOptions{Ranks: []int{}})
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	_, err = New("fake", nil).Load(closed, 0, device.Options{})
	wantError(t, err, closed.Dir()+": rank 0 is not open")
}

// TestCardsThatFail: errors of the card come through, and it is closed.
func TestCardsThatFail(t *testing.T) {
	b := opened(t, manifest())
	for what, want := range map[string]string{
		"open": "the card is on fire", "alloc": "the card is on fire", "clear": "the card is on fire",
		"write": "copy table to the card: the card is on fire",
	} {
		c := &fake{t: t, failing: map[string]error{what: errCard}}
		_, err := New("fake", c.open).Load(b, 0, device.Options{})
		wantError(t, err, want)
		if closed := what != "open"; (c.closed == 1) != closed {
			t.Errorf("%s: closed %d times", what, c.closed)
		}
	}
	c := &fake{t: t, failing: map[string]error{"alloc": errCard, "close": errors.New("too late")}}
	_, err := New("fake", c.open).Load(b, 0, device.Options{})
	wantError(t, err, "the card is on fire\ntoo late")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = New("fake", (&fake{t: t}).open).Within(ctx).Load(b, 0, device.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
}

func TestFileCutShort(t *testing.T) {
	b := opened(t, manifest())
	path := filepath.Join(b.Dir(), bundle.RankFile(0))
	truncated(t, path, 0)
	c := &fake{t: t}
	_, err := New("fake", c.open).Load(b, 0, device.Options{})
	wantError(t, err, path+": the file was cut short or became unreadable while mapped; "+
		"copy the bundle again or compile it anew")
	if !errors.Is(err, mapped.ErrFault) || c.closed != 1 {
		t.Errorf("%v, closed %d times", err, c.closed)
	}
}

// mapping is a card whose memory is that of the host.
type mapping struct {
	*fake
	mapped []int // bytes of each piece
}

func (m *mapping) Map(data []byte) (Addr, error) {
	m.mapped = append(m.mapped, len(data))
	at, err := m.Alloc(int64(len(data)))
	if err == nil {
		err = m.Write(at, data)
	}
	return at, err
}

// A card that maps is handed the sections as they lie in the file, those that share their bytes once;
// that the file can no longer be read shows in a launch, and blames the file.
func TestMappedSections(t *testing.T) {
	c := &mapping{fake: &fake{t: t, failing: map[string]error{}}}
	b := opened(t, manifest())
	open := func(_ context.Context, _ *bundle.Bundle, need int64) (Card, error) {
		c.need = need
		return c, nil
	}
	r, err := New("fake", open).Load(b, 0, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if want := []int{2 * vocab * width, piece + 100}; !slices.Equal(c.mapped, want) {
		t.Errorf("mapped are %v bytes, want %v", c.mapped, want)
	}
	batch := device.Batch{Tokens: []int32{5}, Positions: []int32{0}, Sequences: []int32{0}, Rows: []int32{0}}
	if err := r.Run(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	c.failing["embed"] = fmt.Errorf("kernel embed: %w", mapped.ErrFault)
	batch.Positions[0] = 1
	err = r.Run(context.Background(), batch)
	want := b.Dir() + "/weights/rank-00.bin: the file was cut short or became unreadable while mapped; " +
		"copy the bundle again or compile it anew"
	if err == nil || err.Error() != want || r.Length(0) != 1 {
		t.Errorf("error %v, want %s; the cache holds %d positions", err, want, r.Length(0))
	}
}
