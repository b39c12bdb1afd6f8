package eval

import (
	"context"
	"errors"
	"math"

	"moge/runtime/device"
	"moge/runtime/engine"
	"moge/runtime/sample"
)

// DefaultWindow is the window in tokens that published values of this project use.
const DefaultWindow = 256

// errNothing says that there is no token to score.
var errNothing = errors.New("the text is too short: there is no token to score")

// Progress is told how many tokens were scored, of how many; it may be nil.
type Progress func(done, total int)

// Perplexity says how well a model predicts a text.
type Perplexity struct {
	Perplexity float64 `json:"perplexity"`
	Loss       float64 `json:"loss"` // mean negative log-probability, nats a token
	Tokens     int     `json:"scored_tokens"`
	Windows    int     `json:"windows"`
}

// TextWindows cuts a text with the tokenizer and the special tokens of a bundle.
func TextWindows(e *engine.Engine, text string, size int) ([][]int32, error) {
	t, err := e.Tokenizer()
	if err != nil {
		return nil, err
	}
	bos := int64(-1)
	if m := e.Model(); m.BosId != nil {
		bos = *m.BosId
	}
	return Windows(text, t, bos, e.Model().EosIds, size), nil
}

// MeasurePerplexity scores each window alone from position 0; its first token, which nothing
// predicts, is not scored. The result is exp of the mean loss over all scored tokens.
func MeasurePerplexity(ctx context.Context, e *engine.Engine, windows [][]int32,
	progress Progress) (*Perplexity, error) {
	return measure(ctx, e, windows, progress, func(device.Runner, []piece) error { return nil })
}

// measure scores, and shows each step to see.
func measure(ctx context.Context, e *engine.Engine, windows [][]int32, progress Progress,
	see func(device.Runner, []piece) error) (*Perplexity, error) {
	s, err := newScoring(windows, progress, e)
	if err != nil {
		return nil, err
	}
	w := newWalker(e)
	defer w.close()
	loss := 0.0
	for _, pieces := range s.steps {
		var losses []float64
		err := w.step(ctx, pieces, func(r device.Runner) (err error) {
			if losses, err = s.losses(r, pieces); err != nil {
				return err
			}
			return see(r, pieces)
		})
		if err != nil {
			return nil, err
		}
		add(&loss, losses)
		s.advance(pieces)
	}
	return s.perplexity(loss), nil
}

// scoring is what measurements have in common: windows without their last tokens, which are
// only predicted, and what predicts what.
type scoring struct {
	windows     [][]int32
	steps       [][]piece
	done, total int
	progress    Progress
}

func newScoring(windows [][]int32, progress Progress, engines ...*engine.Engine) (*scoring, error) {
	s := &scoring{windows: windows, progress: progress}
	inputs := make([][]int32, len(windows))
	for i, w := range windows {
		inputs[i] = w[:max(len(w)-1, 0)]
		s.total += len(inputs[i])
	}
	if s.total == 0 {
		return nil, errNothing
	}
	var err error
	s.steps, err = planFor(inputs, engines...)
	return s, err
}

// targets are the tokens that the rows of a step predict.
func (s *scoring) targets(pieces []piece) []int32 {
	var ids []int32
	for _, p := range pieces {
		ids = append(ids, s.windows[p.window][p.first+1:p.first+1+len(p.tokens)]...)
	}
	return ids
}

// losses scores the rows of a step.
func (s *scoring) losses(r device.Runner, pieces []piece) ([]float64, error) {
	logits, err := r.Floats("logits")
	if err != nil {
		return nil, err
	}
	return lossesOf(logits, s.targets(pieces))
}

// lossesOf scores logits [rows,vocab].
func lossesOf(logits []float32, targets []int32) ([]float64, error) {
	vocab := len(logits) / len(targets)
	for _, id := range targets {
		if id < 0 || int(id) >= vocab {
			return nil, errors.New("a token of the text is outside the model's vocabulary")
		}
	}
	out := make([]float64, len(targets))
	eachRow(len(targets), func(r int) {
		out[r] = -sample.LogProb(logits[r*vocab:(r+1)*vocab], targets[r])
	})
	return out, nil
}

func (s *scoring) advance(pieces []piece) {
	s.done += count(pieces)
	if s.progress != nil {
		s.progress(s.done, s.total)
	}
}

func (s *scoring) perplexity(loss float64) *Perplexity {
	mean := loss / float64(s.total)
	return &Perplexity{
		Perplexity: math.Exp(mean), Loss: mean, Tokens: s.total, Windows: len(s.windows),
	}
}

// add goes value by value, so that the total does not depend on how values come in steps.
func add(total *float64, values []float64) {
	for _, v := range values {
		*total += v
	}
}
