package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
)

const rootLong = `moge turns a checkpoint of a language model into a bundle, and
runs it.

Standard output is the result of a command, standard error its messages and
progress. Exit codes: 0 done, 1 failed, 2 usage, 3 input invalid or corrupt (or the
output's name is taken), 4 a verification or quality gate is not met, 5 not enough
disk or memory, 130 interrupted.`

// newRoot makes the tree of commands.
func newRoot(app *cli.App) *cobra.Command {
	root := &cobra.Command{
		Use: "moge", Short: "Compile and run mixture-of-experts language models", Long: rootLong,
		Example: "  moge demo\n  moge compile checkpoint --scheme w8a8-dynamic -o model.moge\n" +
			"  moge run model.moge -p \"Once upon a time\"",
		Args: noCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
	}
	root.AddCommand(
		newInspect(app), newConvert(app), newQuantize(app), newCompile(app), newVerify(app),
		newRun(app), newEval(app), newBench(app), newReport(app), newTokenize(app), newSynth(app), newDemo(app),
		newSimulate(app), newDoctor(app), newVersion(app),
	)
	return root
}

// noCommand refuses what is not the name of a command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q, did you mean %s?", args[0], near[0])
	}
	return fmt.Errorf("unknown command %q", args[0])
}
