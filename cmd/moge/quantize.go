package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/codegen/driver"
)

type quantizeFlags struct {
	jobFlags
	json *bool
}

const quantizeLong = `Quantize runs the passes over the checkpoint in DIR and writes
the result as a folder that compile reads: the graph (model.ir), the tensors as
safetensors under the names of their sites, the configuration and the tokenizer.
Compiling that folder gives the same bytes as compiling the checkpoint with the same
flags. The folder appears when it is complete.`

func newQuantize(app *cli.App) *cobra.Command {
	f := &quantizeFlags{}
	cmd := &cobra.Command{
		Use:   "quantize DIR --scheme SCHEME -o OUT",
		Short: "Write a quantized checkpoint that compile reads",
		Long:  quantizeLong,
		Example: "  moge quantize checkpoint --scheme w8a8-dynamic -o quantized\n" +
			"  moge quantize checkpoint --scheme w8a8 --calib text.txt -o quantized",
		Args: cli.Args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), app, args[0]) },
	}
	f.settings.Target = "cpu"
	f.add(cmd)
	f.json = cli.JSONFlag(cmd, quantizeSchema)
	must(cmd.MarkFlagRequired("output"))
	must(cmd.MarkFlagRequired("scheme"))
	return cmd
}

func (f *quantizeFlags) run(ctx context.Context, app *cli.App, dir string) error {
	f.out = filepath.Clean(f.out)
	if err := f.prepare(app); err != nil {
		return err
	}
	if err := checkPlace(app.FS, f.out, f.settings.Force); err != nil {
		return err
	}
	m, err := f.open(dir)
	if err != nil {
		return err
	}
	defer m.Close()
	summary, err := driver.Quantize(ctx, app.FS, m, f.out, f.settings)
	app.Term.Done()
	f.reportTimes(app)
	if errors.Is(err, context.Canceled) {
		return exit.With(exit.Interrupted, errors.New("interrupted, nothing was written"))
	}
	if err != nil {
		return explain(m, err)
	}
	return f.report(app, f.summary(quantizeSchema, m, summary), *f.json)
}
