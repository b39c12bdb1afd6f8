package runcmd

import (
	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/runtime/sample"
)

// flags are those of run.
type flags struct {
	prompt, file   string
	max            int
	params         sample.Params
	stop           []string
	chat           bool
	context        int
	threads        int
	check          cli.Choice
	devices        []Device
	device         cli.Choice
	tokens, logits string
	force          bool
	json           *bool
}

const schema = "moge.run/1"

const long = `Run continues a prompt with the model of a bundle. The text streams to
standard output, the statistics go to standard error. The prompt is -p TEXT, the
file of -f, or - for standard input; of a file the newline at its end does not
count.

The text ends at the model's end of sequence, at a --stop string, after -n tokens,
when the context is full, or by Ctrl-C, which keeps the text and prints the
statistics (exit code 130). Decoding is greedy unless --temp is above 0. The same
seed gives the same text for any -t.

With --tokens and --logits it reads token ids, input_ids [B,T] of a safetensors
file, and writes the float32 logits [B,T,vocab] of every position, for comparison
with other programs.`

// New makes the command; use is its name. It runs bundles on the CPU and on the devices given.
func New(app *cli.App, use string, more ...Device) *cobra.Command {
	f := &flags{check: cli.Choice{Value: "fast", Words: []string{"fast", "full"}},
		devices: append([]Device{cpuDevice}, more...)}
	cmd := &cobra.Command{
		Use: use + " NAME.moge [-]", Short: "Continue a prompt with the model of a bundle", Long: f.long(),
		Args: arguments,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, app, args) },
	}
	cmd.Example = examples(use)
	f.addPrompt(cmd)
	f.addSampling(cmd)
	f.addExecution(cmd)
	f.json = cli.JSONFlag(cmd, schema)
	return cmd
}

func examples(use string) string {
	program := map[string]string{"run": "moge run"}[use]
	if program == "" {
		program = use
	}
	return "  " + program + " model.moge -p \"Once upon a time\" -n 64\n" +
		"  " + program + " model.moge --chat -p \"Who are you?\" --temp 0.8 --top-p 0.95 --seed 1\n" +
		"  " + program + " model.moge - < prompt.txt\n" +
		"  " + program + " model.moge --tokens ids.safetensors --logits logits.safetensors"
}

func arguments(cmd *cobra.Command, args []string) error {
	if len(args) == 2 && args[1] == "-" {
		args = args[:1]
	}
	return cli.Args("NAME.moge")(cmd, args)
}

func (f *flags) addPrompt(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.prompt, "prompt", "p", "", "the prompt")
	fl.StringVarP(&f.file, "file", "f", "", "read the prompt from a file")
	fl.BoolVar(&f.chat, "chat", false, "put the prompt into the chat template, as the user's turn")
	fl.StringVar(&f.tokens, "tokens", "",
		"safetensors file with input_ids [B,T], in place of a prompt")
	fl.StringVar(&f.logits, "logits", "", "safetensors file for the logits of --tokens")
	fl.BoolVar(&f.force, "force", false, "replace the file of --logits if it exists")
	cmd.MarkFlagsMutuallyExclusive("prompt", "file", "tokens")
	cmd.MarkFlagsRequiredTogether("tokens", "logits")
	for _, name := range []string{"chat", "temp", "top-p", "top-k", "seed", "stop", "max-tokens"} {
		if fl.Lookup(name) != nil {
			cmd.MarkFlagsMutuallyExclusive("tokens", name)
		}
	}
}

func (f *flags) addSampling(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVarP(&f.max, "max-tokens", "n", 64, "tokens to generate; 0 is as many as fit in the context")
	fl.Float64Var(&f.params.Temperature, "temp", 0,
		"temperature; 0 is greedy, then the next three are not used")
	fl.Float64Var(&f.params.TopP, "top-p", 1,
		"sample from the likeliest tokens up to this share of the probability")
	fl.IntVar(&f.params.TopK, "top-k", 0, "sample from this many of the likeliest tokens; 0 is all")
	fl.Uint64Var(&f.params.Seed, "seed", 0, "seed of the random numbers")
	fl.StringArrayVar(&f.stop, "stop", nil, "end before this text; repeatable")
}

func (f *flags) addExecution(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVar(&f.context, "ctx", 0, "positions of the sequence (default and most: those compiled for)")
	fl.IntVarP(&f.threads, "threads", "t", 0, "worker threads (default one a core)")
	fl.Var(&f.check, "check", "fast checks manifest, bounds and small sections; full every hash")
	cli.Complete(cmd, "check", f.check.Words...)
	f.addDevice(cmd)
}
