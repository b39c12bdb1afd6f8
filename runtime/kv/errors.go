package kv

import "fmt"

// OutOfPagesError says that a sequence cannot grow before others shrink. Nothing changed.
type OutOfPagesError struct {
	Seq  int
	Need int // pages the request takes
	Free int // pages that are free
}

// Error says how many pages are lacking and what to do.
func (e *OutOfPagesError) Error() string {
	return fmt.Sprintf("kv cache: sequence %d needs %d more pages, %d are free; "+
		"release a sequence or raise the maximum of tokens", e.Seq, e.Need, e.Free)
}

// ContextError says that a sequence would outgrow the context. Nothing changed.
type ContextError struct {
	Seq     int
	Len     int // requested
	Context int
}

// Error gives the length asked for, the context, and what to do.
func (e *ContextError) Error() string {
	return fmt.Sprintf("kv cache: sequence %d would hold %d positions, the context is %d; "+
		"shorten the prompt or raise the context", e.Seq, e.Len, e.Context)
}
