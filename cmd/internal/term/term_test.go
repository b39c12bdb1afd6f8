package term

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// fake is a Terminal whose clock the test moves.
func fake(tty bool) (*Terminal, *bytes.Buffer, *time.Time) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	t := New(&out)
	t.tty, t.now = tty, func() time.Time { return clock }
	return t, &out, &clock
}

func TestProgressOffTerminalIsALineNowAndThen(t *testing.T) {
	term, out, clock := fake(false)
	write := term.Progress("write", Bytes)
	for i := range int64(31) {
		write(i<<20, 30<<20)
		*clock = clock.Add(time.Second)
	}
	term.Advance("score", "windows", 1, 4)
	*clock = clock.Add(between)
	term.Advance("score", "windows", 3, 4)
	want := "write: 33 %, 10.0 MiB of 30.0 MiB\nwrite: 66 %, 20.0 MiB of 30.0 MiB\n" +
		"write: 100 %, 30.0 MiB of 30.0 MiB\nscore: 75 %, 3 of 4 windows\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestProgressOnTerminalIsABarThatMessagesClear(t *testing.T) {
	term, out, _ := fake(true)
	term.Advance("write", Bytes, 1<<20, 4<<20)
	term.Note("a line")
	term.Done()
	got := out.String()
	if !strings.Contains(got, "write") || !strings.Contains(got, "25%") {
		t.Errorf("no bar in %q", got)
	}
	if !strings.Contains(got, "\x1b[2K\ra line\n") {
		t.Errorf("the message is not on a line of its own in %q", got)
	}
}

func TestVerboseTellsHowLongAStageTook(t *testing.T) {
	term, out, clock := fake(false)
	term.Verbose = true
	term.Advance("hash", Bytes, 1, 2)
	*clock = clock.Add(1500 * time.Millisecond)
	term.Advance("write", Bytes, 1, 2)
	*clock = clock.Add(2 * time.Second)
	term.Done()
	term.Done()
	if want := "hash: 1.5 s\nwrite: 2.0 s\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestColourIsForTerminalsThatWantIt(t *testing.T) {
	term, out, _ := fake(true)
	for _, c := range []struct {
		tint bool
		want string
	}{{true, "\x1b[1;31mmoge:\x1b[0m text\n"}, {false, "moge: text\n"}} {
		out.Reset()
		term.tint = c.tint
		term.Error("moge", "text")
		if out.String() != c.want {
			t.Errorf("tint %v: got %q, want %q", c.tint, out, c.want)
		}
	}
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		quiet, verbose bool
		want           string
	}{
		{false, false, "note\nmoge: error\n"},
		{false, true, "note\nmoge: error\n"},
		{true, false, "moge: error\n"},
		{true, true, "moge: error\n"},
	} {
		term, out, clock := fake(false)
		term.Quiet, term.Verbose = c.quiet, c.verbose
		term.Note("%s", "note")
		term.Error("moge", "error")
		if c.quiet {
			*clock = clock.Add(time.Hour)
			term.Advance("write", Bytes, 1, 2)
		}
		if out.String() != c.want {
			t.Errorf("quiet %v, verbose %v: got %q, want %q", c.quiet, c.verbose, out, c.want)
		}
	}
}
