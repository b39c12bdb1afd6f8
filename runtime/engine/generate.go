package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"moge/formats/tokenizer"
	"moge/runtime/device"
	"moge/runtime/sample"
)

// Reason says why a generation ended.
type Reason string

// The reasons, in JSON as written here.
const (
	ReasonEOS       Reason = "eos"       // the model ended the text
	ReasonStop      Reason = "stop"      // a stop string or stop id came
	ReasonLength    Reason = "length"    // MaxTokens were made
	ReasonContext   Reason = "context"   // the context is full
	ReasonCancelled Reason = "cancelled" // the context of the call ended
)

// GenerateOptions say how to go on from a prompt. The zero value decodes greedily until the
// model ends the text or the context is full.
type GenerateOptions struct {
	MaxTokens int           // tokens to make; 0 is as many as fit
	Params    sample.Params // the zero value is greedy
	StopIDs   []int32       // tokens that end the text, beside those of the model
	IgnoreEOS bool          // go on past the tokens by which the model ends a text
	Stop      []string      // texts that end the generation; they are not part of the result
	// Sequence is what the prompt continues; nil is a new one. It holds all but the last
	// token that was made.
	Sequence *Sequence

	OnToken func(id int32)    // each token of the result; may be nil
	OnText  func(text string) // text as soon as it is certain; may be nil
}

// Result is what a generation made.
type Result struct {
	Tokens []int32 `json:"tokens"` // without the one that ended it
	Text   string  `json:"text"`   // empty if the bundle has no tokenizer
	Reason Reason  `json:"reason"`

	PromptTokens int           `json:"prompt_tokens"`
	Generated    int           `json:"generated_tokens"`
	PromptTime   time.Duration `json:"prompt_nanoseconds"` // until the first token could be drawn
	DecodeTime   time.Duration `json:"decode_nanoseconds"` // from then on
}

// Generate continues a prompt token by token. A prompt that does not fit is a *ContextError.
// When ctx ends, the result is what there is so far, with ReasonCancelled and no error.
func (e *Engine) Generate(ctx context.Context, prompt []int32, opt GenerateOptions) (
	*Result, error) {
	g, err := e.newGeneration(prompt, opt)
	if err != nil {
		return nil, err
	}
	if opt.Sequence == nil {
		if g.sequence, err = e.NewSequence(); err != nil {
			return nil, err
		}
		defer g.sequence.Free()
	}
	start := time.Now()
	id, err := g.next(ctx, prompt)
	g.result.PromptTime = time.Since(start)
	if err == nil {
		start = time.Now()
		err = g.decode(ctx, id)
		g.result.DecodeTime = time.Since(start)
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		g.result.Reason, err = ReasonCancelled, nil
	}
	g.finish()
	return &g.result, err
}

// generation is one call of Generate.
type generation struct {
	engine   *Engine
	opt      GenerateOptions
	sequence *Sequence
	sampler  *sample.Sampler
	eos      []int32
	stream   *tokenizer.Stream // nil without a tokenizer
	filter   stopFilter
	text     strings.Builder
	result   Result
}

func (e *Engine) newGeneration(prompt []int32, opt GenerateOptions) (*generation, error) {
	g := &generation{engine: e, opt: opt, sequence: opt.Sequence, filter: newStopFilter(opt.Stop)}
	g.result.PromptTokens = len(prompt)
	if !opt.IgnoreEOS {
		g.eos = e.EOS()
	}
	t, err := e.Tokenizer()
	if err != nil && (len(opt.Stop) > 0 || opt.OnText != nil) {
		return nil, err
	}
	if t != nil {
		g.stream = t.NewStream(tokenizer.SkipSpecials)
		for _, id := range prompt {
			g.stream.Push(id) // its text decides on the space before the first word
		}
	}
	g.sampler, err = sample.New(opt.Params)
	return g, err
}

// decode takes tokens, the first of which is id, until one is the last.
func (g *generation) decode(ctx context.Context, id int32) error {
	for {
		if g.result.Reason = g.take(id); g.result.Reason != "" {
			return nil
		}
		var err error
		if id, err = g.next(ctx, []int32{id}); err != nil {
			return err
		}
	}
}

// next feeds tokens and draws the one that follows.
func (g *generation) next(ctx context.Context, tokens []int32) (id int32, err error) {
	err = g.sequence.FeedTo(ctx, tokens, func(r device.Runner) error {
		id, err = g.draw(r)
		return err
	})
	return id, err
}

// draw asks a device that ranks logits for the greatest ones, and for all where these do not decide.
func (g *generation) draw(r device.Runner) (int32, error) {
	if g.engine.ranked {
		top, err := topOf(r)
		if err != nil {
			return 0, err
		}
		if id, ok := g.sampler.NextTop(top); ok {
			return id, nil
		}
	}
	logits, err := r.Floats("logits")
	if err != nil {
		return 0, err
	}
	return g.sampler.Next(logits)
}

// topOf reads what the program's last kernels left of one row of logits.
func topOf(r device.Runner) (t sample.Top, err error) {
	if t.Values, err = r.Floats("top.values"); err != nil {
		return t, err
	}
	if t.IDs, err = r.Ints("top.ids"); err != nil {
		return t, err
	}
	stats, err := r.Floats("top.stats")
	if err != nil {
		return t, err
	}
	if len(stats) < 2 || len(t.IDs) != len(t.Values) {
		return t, errors.New("the program ranks logits in a form that is not known")
	}
	t.Sum = float64(stats[1])
	return t, nil
}

// take adds a token to the result and gives the reason if it is the last.
func (g *generation) take(id int32) Reason {
	switch {
	case slices.Contains(g.eos, id):
		return ReasonEOS
	case slices.Contains(g.opt.StopIDs, id):
		return ReasonStop
	}
	g.result.Tokens = append(g.result.Tokens, id)
	if g.opt.OnToken != nil {
		g.opt.OnToken(id)
	}
	if g.stream != nil && g.show(g.filter.push(g.stream.Push(id))) {
		return ReasonStop
	}
	switch {
	case len(g.result.Tokens) == g.opt.MaxTokens:
		return ReasonLength
	case g.sequence.Len() == g.engine.Limits().Context:
		return ReasonContext
	}
	return ""
}

// show hands on text that is certain, and passes on whether a stop string followed it.
func (g *generation) show(text string, stopped bool) bool {
	if text != "" {
		g.text.WriteString(text)
		if g.opt.OnText != nil {
			g.opt.OnText(text)
		}
	}
	return stopped
}

// finish shows what was held back and completes the result.
func (g *generation) finish() {
	if g.stream != nil && !g.filter.stopped {
		if g.show(g.filter.push(g.stream.Flush())) {
			g.result.Reason = ReasonStop
		}
		g.show(g.filter.rest(), false)
	}
	g.result.Text = g.text.String()
	g.result.Generated = len(g.result.Tokens)
}
