package main

import (
	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/runcmd"
)

func newRun(app *cli.App) *cobra.Command { return runcmd.New(app, "run") }
