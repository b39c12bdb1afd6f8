package term

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"moge/cmd/internal/units"
)

// Unit is what progress is counted in.
type Unit string

// Bytes are printed in binary units; any other unit is a plural noun behind a number.
const Bytes Unit = ""

// Progress returns a function that hears how much of a stage is done.
func (t *Terminal) Progress(stage string, unit Unit) func(done, total int64) {
	return func(done, total int64) { t.Advance(stage, unit, done, total) }
}

// Advance shows how much of a stage is done. Another stage ends the one before.
func (t *Terminal) Advance(stage string, unit Unit, done, total int64) {
	if t.Quiet {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stage != stage {
		t.finish()
		t.stage, t.began = stage, t.now()
		t.next = t.began.Add(between)
	}
	if t.tty {
		t.draw(stage, unit, done, total)
	} else if now := t.now(); !now.Before(t.next) {
		t.next = now.Add(between)
		fmt.Fprintln(t.out, sentence(stage, unit, done, total))
	}
}

// Done ends the stage that is shown, if any.
func (t *Terminal) Done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finish()
}

func (t *Terminal) finish() {
	if t.bar != nil {
		_ = t.bar.Clear() // a bar that cannot be drawn is no reason to fail
	}
	if t.stage != "" && t.Verbose && !t.Quiet {
		fmt.Fprintf(t.out, "%s: %.1f s\n", t.stage, t.now().Sub(t.began).Seconds())
	}
	t.bar, t.stage = nil, ""
}

func (t *Terminal) draw(stage string, unit Unit, done, total int64) {
	if t.bar == nil {
		t.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(t.out),
			progressbar.OptionSetDescription(stage), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionUseANSICodes(true),
			progressbar.OptionShowBytes(unit == Bytes), progressbar.OptionUseIECUnits(unit == Bytes),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
	}
	_ = t.bar.Set64(min(done, total)) // as above
}

// sentence is progress as a line.
func sentence(stage string, unit Unit, done, total int64) string {
	percent := int64(100)
	if total > 0 {
		percent = int64(100 * (float64(done) / float64(total)))
	}
	if unit == Bytes {
		return fmt.Sprintf("%s: %d %%, %s of %s", stage, percent, units.Bytes(done), units.Bytes(total))
	}
	return fmt.Sprintf("%s: %d %%, %d of %d %s", stage, percent, done, total, unit)
}
