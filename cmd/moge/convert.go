package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/codegen/driver"
	"moge/formats/durable"
	"moge/ir"
)

type convertFlags struct {
	out           string
	force         bool
	ignoreUnknown bool
}

func newConvert(app *cli.App) *cobra.Command {
	var f convertFlags
	cmd := &cobra.Command{
		Use: "convert DIR -o FILE", Short: "Write the graph of a checkpoint as text, before any pass",
		Long: "Convert reads the headers of the checkpoint in DIR and writes the graph of one step\n" +
			"of its model in the text form of ir/SPEC.md. No weight is read.",
		Example: "  moge convert checkpoint -o model.ir\n  moge convert checkpoint -o - | less",
		Args:    cli.Args("DIR"),
		RunE:    func(_ *cobra.Command, args []string) error { return convert(app, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "output", "o", "", "the file to write, - for standard output")
	flags.BoolVar(&f.force, "force", false, "replace the file if it exists")
	addIgnoreUnknown(cmd, &f.ignoreUnknown)
	must(cmd.MarkFlagRequired("output"))
	return cmd
}

func convert(app *cli.App, dir string, f convertFlags) error {
	if f.out != "-" {
		if err := checkPlace(app.FS, f.out, f.force); err != nil {
			return err
		}
	}
	m, err := driver.Open(dir, f.ignoreUnknown)
	if err != nil {
		return inputError(err)
	}
	defer m.Close()
	if f.out == "-" {
		return ir.Print(app.Out, m.Graph)
	}
	var text bytes.Buffer
	if err := ir.Print(&text, m.Graph); err != nil {
		return err
	}
	if err := durable.WriteFileAtomic(app.FS, f.out, text.Bytes()); err != nil {
		return &driver.OutputError{Path: f.out, Err: err}
	}
	_, err = fmt.Fprintf(app.Out, "wrote %s, %d nodes\n", f.out, len(m.Graph.Nodes))
	return err
}

func addIgnoreUnknown(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "ignore-unknown", false,
		"drop tensors that no part of the model reads, instead of refusing them")
}

func must(err error) {
	if err != nil {
		panic("BUG: " + err.Error())
	}
}
