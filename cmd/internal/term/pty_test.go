//go:build linux

package term

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal gives both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return user, program
}

func TestTerminalIsRecognised(t *testing.T) {
	user, program := openTerminal(t)
	for _, c := range []struct {
		name, noColor, term string
		want                string
	}{
		{"colour", "", "xterm", "\x1b[1;31mmoge:\x1b[0m text\r\n"},
		{"NO_COLOR", "1", "xterm", "moge: text\r\n"},
		{"dumb", "", "dumb", "moge: text\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", c.noColor)
			t.Setenv("TERM", c.term)
			New(program).Error("moge", "text")
			if got := readSome(t, user, "text\r\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	bars := New(program)
	bars.Advance("write", Bytes, 1<<20, 4<<20)
	if got := readSome(t, user, "25%"); !strings.Contains(got, "write") {
		t.Errorf("no bar in %q", got)
	}
	bars.Done()
}

// readSome reads until the text has come.
func readSome(t *testing.T, user *os.File, text string) string {
	t.Helper()
	var got strings.Builder
	buffer := make([]byte, 4096)
	timeout := time.AfterFunc(5*time.Second, func() { user.Close() })
	defer timeout.Stop()
	for !strings.Contains(got.String(), text) {
		n, err := user.Read(buffer)
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(buffer[:n])
	}
	return got.String()
}
