package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/term"
	"moge/cmd/internal/units"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/models/synth"
)

type synthFlags struct {
	config, out string
	layers      int
	options     synth.Options
}

const synthLong = `Synth writes a checkpoint of random weights for any supported
config.json: to try a configuration, or to measure one whose weights are not at
hand. Equal seeds give equal bytes. With --sparse the files have their full size but
occupy no disk, and all weights are zero.`

func newSynth(app *cli.App) *cobra.Command {
	var f synthFlags
	cmd := &cobra.Command{
		Use: "synth --config config.json -o DIR", Short: "Write a random checkpoint of a configuration",
		Long: synthLong,
		Example: "  moge synth --config config.json --layers 2 -o random\n" +
			"  moge synth --config config.json --sparse -o hole",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "the config.json of the model")
	flags.StringVarP(&f.out, "output", "o", "", "the folder to write")
	flags.IntVar(&f.layers, "layers", 0, "number of layers (default that of the config)")
	flags.Uint64Var(&f.options.Seed, "seed", 0, "seed of the random numbers")
	flags.BoolVar(&f.options.Sparse, "sparse", false, "write holes in place of weights")
	must(cmd.MarkFlagRequired("config"))
	must(cmd.MarkFlagRequired("output"))
	must(cmd.MarkFlagFilename("config", "json"))
	return cmd
}

func (f *synthFlags) run(ctx context.Context, app *cli.App) error {
	if f.layers < 0 {
		return cli.Usage("--layers is %d, it must be at least 1", f.layers)
	}
	f.out, f.options.Layers = filepath.Clean(f.out), f.layers
	config, err := os.ReadFile(f.config)
	if err != nil {
		return inputError(err)
	}
	if err := checkPlace(app.FS, f.out, false); err != nil {
		return err
	}
	if err := f.checkRoom(app, config); err != nil {
		return err
	}
	f.options.Progress = app.Term.Progress("write", term.Bytes)
	err = synth.Write(ctx, config, f.options, f.out)
	app.Term.Done()
	switch {
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, errors.New("interrupted, nothing was written"))
	case err != nil:
		return inputError(err)
	}
	_, err = fmt.Fprintf(app.Out, "wrote %s, %s\n", f.out, units.Bytes(treeBytes(f.out)))
	return err
}

// checkRoom tells a full disk from other reasons to refuse. What is wrong with the config is
// left for synth to say.
func (f *synthFlags) checkRoom(app *cli.App, config []byte) error {
	cfg, err := hf.ParseConfig("config.json", config)
	if err != nil || f.options.Sparse {
		return nil
	}
	if f.layers > 0 {
		cfg.Layers = f.layers
	}
	specs, err := models.Declared(cfg)
	if err != nil {
		return nil
	}
	var need int64
	for _, s := range specs {
		need += s.DType.Bytes(s.Elements())
	}
	_, err = checkSpace(app.FS, f.out, need, "make room, give --layers, or --sparse")
	return err
}
