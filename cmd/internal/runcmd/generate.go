package runcmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/formats/tokenizer"
	"moge/runtime/engine"
)

// result is the report of --json.
type result struct {
	Schema string `json:"schema"`
	*engine.Result
	PromptRate   float64 `json:"prompt_tokens_per_second"`
	GenerateRate float64 `json:"generated_tokens_per_second"`
}

// generate continues the prompt and prints text and statistics.
func (f *flags) generate(ctx context.Context, app *cli.App, e *engine.Engine, prompt string) error {
	ids, err := f.encode(e, prompt)
	if err != nil {
		return blame(err)
	}
	opt := engine.GenerateOptions{MaxTokens: f.max, Params: f.params, Stop: f.stop}
	if !*f.json {
		opt.OnText = func(text string) { fmt.Fprint(app.Out, text) }
	}
	r, err := e.Generate(ctx, ids, opt)
	if err != nil {
		return blame(err)
	}
	if err := f.print(app, r); err != nil {
		return err
	}
	app.Term.Note("%s", statistics(r))
	if r.Reason == engine.ReasonCancelled {
		return &exit.Error{Code: exit.Interrupted}
	}
	return nil
}

// print ends the line of text, or writes the whole result as JSON.
func (f *flags) print(app *cli.App, r *engine.Result) error {
	if *f.json {
		return app.JSON(result{schema, r, perSecond(r.PromptTokens, r.PromptTime),
			perSecond(r.Generated, r.DecodeTime)})
	}
	if strings.HasSuffix(r.Text, "\n") {
		return nil
	}
	_, err := fmt.Fprintln(app.Out)
	return err
}

// encode turns the prompt into ids, with the beginning of sequence that the tokenizer asks for.
func (f *flags) encode(e *engine.Engine, prompt string) ([]int32, error) {
	t, err := e.Tokenizer()
	if err != nil {
		return nil, err
	}
	if f.chat {
		return t.Chat([]tokenizer.Message{{Role: "user", Content: prompt}}, true)
	}
	ids := t.Encode(prompt, tokenizer.WithBOS)
	if len(ids) == 0 {
		return nil, errEmpty
	}
	return ids, nil
}

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

func rate(n int, d time.Duration) string { return fmt.Sprintf("%.1f tok/s", perSecond(n, d)) }
