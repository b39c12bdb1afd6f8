package engine

import (
	"context"
	"errors"
	"fmt"

	"moge/runtime/device"
)

// Sequence is one text in the making: a slot of the cache. It is used by one goroutine at a
// time.
type Sequence struct {
	engine *Engine
	slot   int // -1 when it is freed
}

// NewSequence takes an empty sequence; the error is ErrBusy when none is left.
func (e *Engine) NewSequence() (*Sequence, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for slot, taken := range e.taken {
		if !taken {
			e.taken[slot] = true
			return &Sequence{e, slot}, nil
		}
	}
	return nil, ErrBusy
}

// Free gives the sequence and its cache back. A second call does nothing.
func (s *Sequence) Free() {
	if s.slot < 0 {
		return
	}
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	if err := s.engine.runner.Truncate(s.slot, 0); err != nil {
		panic("BUG: " + err.Error())
	}
	s.engine.taken[s.slot] = false
	s.slot = -1
}

// Slot is the sequence's number in a batch.
func (s *Sequence) Slot() int {
	if s.slot < 0 {
		panic("BUG: use of a sequence that was freed")
	}
	return s.slot
}

// Len is how many positions the sequence has.
func (s *Sequence) Len() int {
	slot := s.Slot()
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.runner.Length(slot)
}

// Truncate forgets the positions from length on.
func (s *Sequence) Truncate(length int) error {
	slot := s.Slot()
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.runner.Truncate(slot, length)
}

// Feed appends tokens, in steps of as many as the plan allows, and returns the logits
// [vocab] that follow the last one. Tokens that do not fit are a *ContextError; after any
// error the sequence is as before.
func (s *Sequence) Feed(ctx context.Context, tokens []int32) ([]float32, error) {
	var logits []float32
	err := s.FeedTo(ctx, tokens, func(r device.Runner) error {
		all, err := r.Floats("logits")
		logits = append([]float32{}, all...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return logits, nil
}

// FeedTo is Feed for whoever wants less than all logits: the outputs of the last step, whose one row of
// logits follows the last token, are read's until it returns.
func (s *Sequence) FeedTo(ctx context.Context, tokens []int32, read func(device.Runner) error) error {
	start, limits := s.Len(), s.engine.Limits()
	if n := start + len(tokens); n > limits.Context {
		return &ContextError{n, limits.Context}
	}
	if len(tokens) == 0 {
		return errors.New("no tokens to feed")
	}
	for len(tokens) > 0 {
		n := min(len(tokens), limits.BatchTokens)
		last := n == len(tokens)
		b, err := s.engine.batch([]Input{{s, tokens[:n], last}})
		if err == nil {
			err = s.engine.Run(ctx, b, func(r device.Runner) error {
				if last {
					return read(r)
				}
				return nil
			})
		}
		if err != nil {
			return errors.Join(err, s.Truncate(start))
		}
		tokens = tokens[n:]
	}
	return nil
}

// Input is what one sequence adds in a step.
type Input struct {
	Sequence *Sequence
	Tokens   []int32
	Logits   bool // whether those that follow the last token are wanted
}

// Step appends tokens to several sequences at once and returns for each the logits [vocab]
// that follow its last token, nil where they are not wanted. A sequence may occur once. All
// inputs together must keep to Limits; after an error every sequence is as before.
func (e *Engine) Step(ctx context.Context, inputs []Input) ([][]float32, error) {
	b, err := e.batch(inputs)
	if err != nil {
		return nil, err
	}
	logits := make([][]float32, len(inputs))
	err = e.Run(ctx, b, func(r device.Runner) error {
		if len(b.Rows) == 0 {
			return nil
		}
		all, err := r.Floats("logits")
		if err != nil {
			return err
		}
		vocab := len(all) / len(b.Rows)
		for i, in := range inputs {
			if in.Logits {
				logits[i], all = append([]float32{}, all[:vocab]...), all[vocab:]
			}
		}
		return nil
	})
	return logits, err
}

func (e *Engine) batch(inputs []Input) (device.Batch, error) {
	var b device.Batch
	seen := map[*Sequence]bool{}
	for i, in := range inputs {
		if seen[in.Sequence] || len(in.Tokens) == 0 {
			return b, fmt.Errorf("input %d: the sequence occurs twice or has no tokens", i)
		}
		seen[in.Sequence] = true
		at := in.Sequence.Len()
		for j, id := range in.Tokens {
			b.Tokens = append(b.Tokens, id)
			b.Positions = append(b.Positions, int32(at+j))
			b.Sequences = append(b.Sequences, int32(in.Sequence.slot))
		}
		if in.Logits {
			b.Rows = append(b.Rows, int32(len(b.Tokens)-1))
		}
	}
	return b, nil
}
