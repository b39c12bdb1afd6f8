package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"moge/cmd/internal/exit"
)

// Main runs the command that args name and returns the exit code. The first interrupt ends
// the context of the command, which then tidies up; the second ends the program at once.
func (a *App) Main(root *cobra.Command, args []string) (code int) {
	defer func() {
		if cause := recover(); cause != nil {
			a.Term.Error(root.Name(), fmt.Sprintf("%v\n%s", cause, debug.Stack()))
			code = exit.Failed
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return a.report(root, a.execute(ctx, root, args))
}

func (a *App) execute(ctx context.Context, root *cobra.Command, args []string) error {
	a.Prepare(root)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	a.Term.Done()
	if err != nil && !a.started {
		return exit.With(exit.Usage, fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	}
	if a.Out.err != nil { // whatever came of it
		return fmt.Errorf("standard output: %w", a.Out.err)
	}
	return err
}

// Prepare gives a tree of commands what all have in common.
func (a *App) Prepare(root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.In)
	root.SetOut(a.Out)
	flags := root.PersistentFlags()
	flags.BoolVarP(&a.Term.Quiet, "quiet", "q", a.Term.Quiet,
		"write nothing but errors to standard error")
	flags.BoolVarP(&a.Term.Verbose, "verbose", "v", a.Term.Verbose,
		"write more to standard error: all warnings, all tensors, the time of each stage")
	a.mark(root)
}

// mark tells errors of a command from those of its command line.
func (a *App) mark(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return run(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		a.mark(child)
	}
}

// report prints err and gives its code.
func (a *App) report(root *cobra.Command, err error) int {
	if err == nil {
		return exit.OK
	}
	code, text := exit.Code(err, a.Rows...), exit.Line(err)
	var explicit *exit.Error
	if code == exit.Interrupted && !errors.As(err, &explicit) {
		text = "interrupted"
	}
	if text != "" {
		a.Term.Error(root.Name(), text)
	}
	return code
}
