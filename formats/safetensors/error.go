package safetensors

import (
	"fmt"
	"strings"
)

// Error says that a checkpoint is damaged, incomplete or not of this format.
type Error struct {
	File   string // base name, or the folder where no file is at fault; may be empty in a Writer
	Tensor string // empty where no tensor is at fault
	Offset int64  // byte in File, 0 where the whole file is meant
	Reason string // what is wrong
	Hint   string // what to do about it; may be empty
	Err    error  // the cause, where there is one
}

// Error joins place, reason and hint with colons.
func (e *Error) Error() string {
	var parts []string
	if e.File != "" {
		parts = append(parts, e.File)
	}
	if e.Tensor != "" {
		parts = append(parts, "tensor "+quote(e.Tensor))
	}
	if e.Offset > 0 {
		parts = append(parts, fmt.Sprintf("offset %d", e.Offset))
	}
	parts = append(parts, e.Reason)
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if e.Hint != "" {
		parts = append(parts, e.Hint)
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// The hints that several defects share.
const (
	hintCut     = "the shard is cut short, download it again"
	hintDamaged = "the file is damaged, download it again"
	hintForeign = "the file is damaged or not a safetensors file, download it again"
	hintChanged = "leave the checkpoint alone while it is read, then start again"
	hintIndex   = "shards and index are not of the same checkpoint, download both again"
	hintDTypes  = "supported are F32 F16 BF16 I64 I32 I8 U8, convert the tensor or remove it"
)

// quote shows text from a file with its control characters escaped and its length bounded.
func quote(text string) string {
	const most = 200
	if len(text) > most {
		return fmt.Sprintf("%q... (%d bytes)", text[:most], len(text))
	}
	return fmt.Sprintf("%q", text)
}
