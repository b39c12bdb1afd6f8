package main

import (
	"fmt"
	"os"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/runcmd"
	"moge/formats/bundle"
)

func main() { os.Exit(run(cli.New(), os.Args[1:])) }

func run(app *cli.App, args []string) int {
	root := runcmd.New(app, "moge-run", runcmd.Ascend)
	root.Version = fmt.Sprint(bundle.FormatVersion)
	root.SetVersionTemplate("moge-run reads bundle format {{.Version}}\n")
	return app.Main(root, args)
}
