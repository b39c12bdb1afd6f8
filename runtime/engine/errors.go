package engine

import (
	"errors"
	"fmt"
)

// ErrBusy says that every sequence of the engine is taken.
var ErrBusy = errors.New("all sequences are taken")

// ContextError says that tokens do not fit in the context. Nothing was run.
type ContextError struct {
	Tokens  int // positions that would be taken, those of the sequence so far included
	Context int // positions that a sequence can have
}

// Error gives both numbers.
func (e *ContextError) Error() string {
	return fmt.Sprintf("%d tokens do not fit in the context of %d positions; "+
		"shorten the prompt or compile with a larger --context", e.Tokens, e.Context)
}
