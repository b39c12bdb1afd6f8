package exit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"moge/formats/bundle"
	"moge/formats/hf"
	"moge/formats/mapped"
	"moge/formats/safetensors"
	"moge/formats/tokenizer"
	"moge/runtime/engine"
	"moge/runtime/kv"
)

func path(err error) error { return &fs.PathError{Op: "open", Path: "x", Err: err} }

func TestCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, OK},
		{errors.New("anything"), Failed},
		{path(syscall.EIO), Failed},
		{With(Gate, errors.New("kl")), Gate},
		{fmt.Errorf("more: %w", With(Usage, path(syscall.ENOENT))), Usage},
		{fmt.Errorf("more: %w", context.Canceled), Interrupted},
		{errors.Join(path(syscall.EIO), context.Canceled), Interrupted},
		{&bundle.Error{Err: bundle.ErrSpace}, Resources},
		{&safetensors.Error{Err: path(syscall.ENOSPC)}, Resources},
		{path(syscall.EDQUOT), Resources},
		{path(syscall.ENOMEM), Resources},
		{path(syscall.EMFILE), Resources},
		{&kv.OutOfPagesError{}, Resources},
		{&kv.ContextError{}, Input},
		{&engine.ContextError{}, Input},
		{&bundle.Error{Err: bundle.ErrExists}, Input},
		{&bundle.Error{Err: bundle.ErrLocked}, Input},
		{&bundle.Error{Err: bundle.ErrChanged}, Input},
		{&bundle.Error{Err: bundle.ErrVersion}, Input},
		{&bundle.Error{Reason: "cut"}, Input},
		{&bundle.Error{Err: path(syscall.EIO)}, Failed},
		{&safetensors.Error{}, Input},
		{&hf.Error{}, Input},
		{&tokenizer.FormatError{}, Input},
		{fmt.Errorf("x: %w", tokenizer.ErrNoTokenizer), Input},
		{fmt.Errorf("byte 5: %w", mapped.ErrFault), Input},
		{path(syscall.ENOENT), Input},
		{path(syscall.EEXIST), Input},
		{path(syscall.EACCES), Input},
		{path(syscall.EROFS), Input},
		{path(syscall.ENOTDIR), Input},
		{path(syscall.EISDIR), Input},
		{&bundle.Error{Err: path(errors.New("not a directory"))}, Input},
		{path(syscall.ENAMETOOLONG), Input},
	} {
		if got := Code(c.err); got != c.want {
			t.Errorf("%v: code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestCodeAsksExtraRowsBeforeTheTable(t *testing.T) {
	custom := errors.New("custom")
	row := Row{Usage, "custom", Is(custom)}
	if got := Code(errors.Join(custom, path(syscall.ENOENT)), row); got != Usage {
		t.Errorf("code %d, want %d", got, Usage)
	}
	if got := Code(errors.Join(custom, path(syscall.ENOSPC)), row); got != Resources {
		t.Errorf("a full disk has code %d, want %d", got, Resources)
	}
}

func TestLineIsOneLine(t *testing.T) {
	err := errors.Join(errors.New("a:\n\tb"), errors.New("c\r\n"))
	if got := Line(err); got != "a:; b; c" {
		t.Errorf("got %q", got)
	}
}
