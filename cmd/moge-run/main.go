package main

import (
	"os"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/runcmd"
)

func main() { os.Exit(run(cli.New(), os.Args[1:])) }

func run(app *cli.App, args []string) int { return app.Main(runcmd.New(app, "moge-run"), args) }
