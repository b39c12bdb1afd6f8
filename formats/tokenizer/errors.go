package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoTokenizer is wrapped by the error of Load and FromFiles when there is no
// tokenizer.model. A caller that works on ids alone may go on without a tokenizer.
var ErrNoTokenizer = errors.New("no tokenizer.model")

// FormatError says what is wrong with one of the files of a tokenizer.
type FormatError struct {
	File   string // base name of the file
	Field  string // path of the field, such as "pieces[7].score"; empty for the whole file
	Offset int    // byte offset in the file, or -1 where none is known
	Reason string // why the value is refused
}

// Error writes file, field, offset and reason on one line.
func (e *FormatError) Error() string {
	where := e.Field
	if e.Offset >= 0 {
		where = strings.TrimSpace(fmt.Sprintf("%s at byte %d", e.Field, e.Offset))
	}
	if where != "" {
		where += ": "
	}
	return e.File + ": " + where + e.Reason
}

func configError(file, field, format string, args ...any) error {
	return &FormatError{File: file, Field: field, Offset: -1, Reason: fmt.Sprintf(format, args...)}
}
