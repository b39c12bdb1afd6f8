package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
)

// program is a tree of commands with one, do, that does what the test wants.
func program(do func(cmd *cobra.Command) error) *cobra.Command {
	root := &cobra.Command{Use: "tool"}
	child := &cobra.Command{Use: "do", Args: Args("DIR"),
		RunE: func(cmd *cobra.Command, _ []string) error { return do(cmd) }}
	size := Size(0)
	child.Flags().Var(&size, "size", "")
	root.AddCommand(child)
	return root
}

func TestMainTurnsErrorsIntoAMessageAndACode(t *testing.T) {
	special := errors.New("special")
	for _, c := range []struct {
		name   string
		args   string
		err    error
		code   int
		stderr string
	}{
		{"done", "do x", nil, exit.OK, ""},
		{"failed", "do x", errors.New("a\nb"), exit.Failed, "tool: a; b\n"},
		{"row", "do x", special, exit.Gate, "tool: special\n"},
		{"explicit", "do x", Usage("no %s", "way"), exit.Usage, "tool: no way\n"},
		{"silent", "do x", &exit.Error{Code: exit.Interrupted}, exit.Interrupted, ""},
		{"interrupted", "do x", fmt.Errorf("read: %w", context.Canceled), exit.Interrupted,
			"tool: interrupted\n"},
		{"argument", "do", nil, exit.Usage, "tool: DIR is missing; see tool do --help\n"},
		{"arguments", "do x y", nil, exit.Usage, "tool: unexpected argument \"y\"; see tool do --help\n"},
		{"flag", "do x --size=1XB", nil, exit.Usage,
			"tool: invalid argument \"1XB\" for \"--size\" flag: " +
				"\"1XB\" is not a size such as 1000000, 512MiB or 2GB; see tool do --help\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr bytes.Buffer
			app := &App{Out: NewOutput(&bytes.Buffer{}), Term: term.New(&stderr),
				Rows: []exit.Row{{Code: exit.Gate, Match: exit.Is(special)}}}
			root := program(func(*cobra.Command) error { return c.err })
			if code := app.Main(root, strings.Fields(c.args)); code != c.code ||
				stderr.String() != c.stderr {
				t.Errorf("code %d, %q; want %d, %q", code, &stderr, c.code, c.stderr)
			}
		})
	}
}

func TestMainReportsABugAsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	app := &App{Out: NewOutput(&bytes.Buffer{}), Term: term.New(&stderr)}
	code := app.Main(program(func(*cobra.Command) error { panic("BUG: lost") }), []string{"do", "x"})
	if code != exit.Failed || !strings.HasPrefix(stderr.String(), "tool: BUG: lost\n") {
		t.Errorf("code %d, %q", code, &stderr)
	}
}

func TestOutputKeepsItsFirstError(t *testing.T) {
	first := errors.New("first")
	o := NewOutput(failing{first})
	for range 2 {
		if n, err := o.Write([]byte("x")); n != 0 || !errors.Is(err, first) {
			t.Errorf("%d, %v", n, err)
		}
	}
}

type failing struct{ err error }

// Write fails.
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestChoiceTakesItsWordsOnly(t *testing.T) {
	c := Choice{Value: "md", Words: []string{"md", "json"}}
	if err := c.Set("json"); err != nil || c.String() != "json" || c.Type() != "md|json" {
		t.Errorf("%v, %s, %s", err, &c, c.Type())
	}
	if err := c.Set("xml"); err == nil || err.Error() != "known are md, json" || c.Value != "json" {
		t.Errorf("%v, %s", err, &c)
	}
}
