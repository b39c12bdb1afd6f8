package cli

import (
	"encoding/json"
	"io"
	"os"

	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
	"moge/formats/durable"
)

// App is one run of a program.
type App struct {
	In   io.Reader
	Out  *Output // the result, and nothing else
	Term *term.Terminal
	FS   durable.FS // for outputs
	Rows []exit.Row // codes of errors beyond exit.Table

	started bool // flags and arguments were understood
}

// New is an App on the standard streams.
func New(rows ...exit.Row) *App {
	return &App{In: os.Stdin, Out: NewOutput(os.Stdout), Term: term.New(os.Stderr),
		FS: durable.OS(), Rows: rows}
}

// Output is standard output. It keeps the first error, so that printing a report needs no
// check after every line.
type Output struct {
	w   io.Writer
	err error
}

// NewOutput writes to w.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// Write passes p on, until an error.
func (o *Output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}

// JSON writes a report: indented, with a "schema" of its own among its fields.
func (a *App) JSON(report any) error {
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
