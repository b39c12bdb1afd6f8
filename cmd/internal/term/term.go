package term

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	xterm "golang.org/x/term"
)

// between is how much time passes between two lines of progress where no bar can be drawn.
const between = 10 * time.Second

// Terminal is where messages and progress go. It may be used by several goroutines.
type Terminal struct {
	Quiet   bool // only errors
	Verbose bool // details too

	out  io.Writer
	tty  bool // bars can be drawn
	tint bool // colours are wanted
	now  func() time.Time

	mu    sync.Mutex
	stage string
	began time.Time // the stage
	bar   *progressbar.ProgressBar
	next  time.Time // when the next line of progress is due
}

// New makes a Terminal of standard error or what stands in for it.
func New(out io.Writer) *Terminal {
	t := &Terminal{out: out, now: time.Now}
	if f, ok := out.(*os.File); ok {
		t.tty = xterm.IsTerminal(int(f.Fd()))
	}
	t.tint = t.tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return t
}

// Error writes "program: text", in red where colours are wanted.
func (t *Terminal) Error(program, text string) {
	name := program + ":"
	if t.tint {
		name = "\x1b[1;31m" + name + "\x1b[0m"
	}
	t.line(name + " " + text)
}

// Note writes a line unless Quiet.
func (t *Terminal) Note(format string, args ...any) {
	if !t.Quiet {
		t.line(fmt.Sprintf(format, args...))
	}
}

func (t *Terminal) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bar != nil {
		_ = t.bar.Clear() // a bar that cannot be drawn is no reason to fail
	}
	fmt.Fprintln(t.out, text)
}
