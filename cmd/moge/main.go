package main

import (
	"os"

	"moge/cmd/internal/cli"
)

func main() { os.Exit(run(cli.New(rows...), os.Args[1:])) }

func run(app *cli.App, args []string) int { return app.Main(newRoot(app), args) }
