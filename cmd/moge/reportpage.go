package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"moge/ascend/fit"
	"moge/ascend/soc"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/page"
	"moge/cmd/internal/units"
	"moge/codegen/balance"
	"moge/codegen/driver"
	"moge/codegen/report"
	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
)

type reportFlags struct {
	out, load      string
	batch, context int64
	force          bool
	json           *bool
}

const reportLong = `Report tells what a bundle is and does as one HTML page: the model
and where it comes from, what each rank holds and needs, the program as a graph with
layers that are alike folded into one, what each operation moves, collectives, how
even the rows of experts are for every input, and what the kernels of a card's bundle
gave when they were executed. The page is one file that needs no network and runs no
scripts. Everything comes from the manifest; weights are not read.

Bytes and rows are those of a step that decodes one token of each of --batch
sequences with --context positions, by default as many as the program takes. With
--load the page shows what experts a text chose, which moge eval --experts --json
measures. --json writes the same data to standard output.`

func newReport(app *cli.App) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use: "report NAME.moge -o FILE.html", Short: "Show a bundle as one HTML page", Long: reportLong,
		Example: "  moge report model.moge -o report.html\n" +
			"  moge report model.moge -o report.html --load load.json --batch 4 --context 2048\n" +
			"  moge report model.moge --json",
		Args: cli.Args("NAME.moge"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(app, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "output", "o", "", "the page to write")
	flags.StringVar(&f.load, "load", "", "expert load to show, a report of moge eval --experts --json")
	flags.Int64Var(&f.batch, "batch", 0, "sequences of the step (default the program's limit)")
	flags.Int64Var(&f.context, "context", 0, "positions of each sequence (default the program's limit)")
	flags.BoolVar(&f.force, "force", false, "replace the page if it exists")
	f.json = cli.JSONFlag(cmd, report.Schema)
	must(cmd.MarkFlagFilename("output", "html"))
	must(cmd.MarkFlagFilename("load", "json"))
	return cmd
}

func (f *reportFlags) run(app *cli.App, dir string) error {
	switch {
	case f.out == "" && !*f.json:
		return cli.Usage("-o or --json is missing: where is the report to go?")
	case f.batch < 0 || f.context < 0:
		return cli.Usage("--batch is %d and --context %d, they must be at least 1", f.batch, f.context)
	}
	if f.out != "" {
		if err := checkPlace(app.FS, f.out, f.force); err != nil {
			return err
		}
	}
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return err
	}
	defer b.Close()
	r, err := f.gather(b)
	if err != nil {
		return err
	}
	return f.write(app, r)
}

func (f *reportFlags) gather(b *bundle.Bundle) (*report.Report, error) {
	o := report.Options{Sequences: f.batch, Context: f.context, Chip: chipOf(b.Manifest()),
		Timing: timingOf(b.Manifest())}
	if f.load != "" {
		data, err := readSmall(f.load)
		if err != nil {
			return nil, err
		}
		if o.Load, err = balance.ParseLoad(data); err != nil {
			return nil, inputError(&bundle.Error{Path: f.load, Offset: -1, Reason: err.Error()})
		}
	}
	r, err := report.New(b.Manifest(), filepath.Base(filepath.Clean(b.Dir())), o)
	return r, inputError(err)
}

// maxLoad bounds the file of --load: that of 256 experts in 60 layers has 40 MB.
const maxLoad = 256 << 20

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, inputError(err)
	}
	if info.Size() > maxLoad {
		return nil, &bundle.Error{Path: path, Offset: -1,
			Reason: "file is larger than " + units.Bytes(maxLoad), Hint: "it is no report of moge eval"}
	}
	data, err := os.ReadFile(path)
	return data, inputError(err)
}

// chipOf is the chip of a card's bundle; nil for the CPU, and for a card that this build does not know.
func chipOf(m *bundlepb.Manifest) *report.Chip {
	if len(m.Kernels) == 0 {
		return nil
	}
	p, err := soc.FindProduct(m.Targets[0])
	if err != nil {
		return nil
	}
	chip, err := soc.Find(p.Name)
	if err != nil {
		return nil
	}
	source := string(p.MemoryBytes.Source)
	if p.MemoryBytes.Note != "" {
		source += ": " + p.MemoryBytes.Note
	}
	return &report.Chip{Name: p.Title, Memory: p.MemoryBytes.Value, Reserve: fit.Reserve, Source: source,
		ClockHz: chip.At(soc.CubeClock)}
}

func (f *reportFlags) write(app *cli.App, r *report.Report) error {
	if f.out != "" {
		data, err := page.Render(r)
		if err != nil {
			return exit.With(exit.Failed, err)
		}
		if err := durable.WriteFileAtomic(app.FS, f.out, data); err != nil {
			return &driver.OutputError{Path: f.out, Err: err}
		}
		if !*f.json {
			row(app.Out, "wrote", "%s, %s", f.out, units.Bytes(int64(len(data))))
		}
	}
	if *f.json {
		return app.JSON(r)
	}
	return nil
}
