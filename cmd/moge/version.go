package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/codegen"
	"moge/formats/bundle"
	"moge/runtime/cpu"
)

// versionReport says what this program is.
type versionReport struct {
	Schema       string `json:"schema"`
	Version      string `json:"version"`
	BundleFormat int    `json:"bundle_format"`
	Go           string `json:"go"`
	Platform     string `json:"platform"`
	CPU          string `json:"cpu"` // instruction set level in use
}

const versionSchema = "moge.version/1"

func newVersion(app *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version of this program and of the bundles it writes",
		Example: "  moge version --json", Args: cli.Args(),
	}
	asJSON := cli.JSONFlag(cmd, versionSchema)
	cmd.RunE = func(*cobra.Command, []string) error { return version(app, *asJSON) }
	return cmd
}

func version(app *cli.App, asJSON bool) error {
	level, err := cpu.Level()
	if err != nil {
		return cli.Usage("%w", err)
	}
	r := versionReport{versionSchema, codegen.Version, bundle.FormatVersion,
		runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, level.String()}
	if asJSON {
		return app.JSON(r)
	}
	_, err = fmt.Fprintf(app.Out, "moge %s (bundle format %d, %s, %s, %s)\n",
		r.Version, r.BundleFormat, r.Go, r.Platform, r.CPU)
	return err
}
