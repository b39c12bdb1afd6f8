package exit

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/formats/hf"
	"moge/formats/mapped"
	"moge/formats/safetensors"
	"moge/formats/tokenizer"
	"moge/runtime/engine"
	"moge/runtime/kv"
	"moge/runtime/npu"
)

// first are the causes that count wherever they are wrapped.
var first = []Row{
	{Interrupted, "interrupted", Is(context.Canceled)},
	{Resources, "no space on the file system", Is(bundle.ErrSpace)},
	{Resources, "no space on the file system", Is(syscall.ENOSPC)},
	{Resources, "disk quota exceeded", Is(syscall.EDQUOT)},
	{Resources, "no memory", Is(syscall.ENOMEM)},
	{Resources, "too many open files", Is(syscall.EMFILE)},
	{Input, "bundle and chips, or rank table, do not fit", Is(npu.ErrInput)},
	{Resources, "too few chips, or too little memory on them", Is(npu.ErrResources)},
	{Failed, "driver, library or kernels of the chips are missing", Is(npu.ErrMissing)},
}

// Table is every kind of error that formats and runtime report.
var Table = []Row{
	{Input, "the prompt does not fit in the context", As[*kv.ContextError]()},
	{Input, "the prompt does not fit in the context", As[*engine.ContextError]()},
	{Resources, "the cache is too small for the sequences", As[*kv.OutOfPagesError]()},
	{Input, "output exists", Is(bundle.ErrExists)},
	{Input, "output is being written by another process", Is(bundle.ErrLocked)},
	{Input, "output is being written by another process", Is(durable.ErrLocked)},
	{Input, "resume of another job", Is(bundle.ErrChanged)},
	{Input, "bundle is damaged or of a newer version", invalidBundle},
	{Input, "checkpoint is damaged", As[*safetensors.Error]()},
	{Input, "configuration does not fit", As[*hf.Error]()},
	{Input, "tokenizer is damaged", As[*tokenizer.FormatError]()},
	{Input, "tokenizer is missing", Is(tokenizer.ErrNoTokenizer)},
	{Input, "file was cut short while in use", Is(mapped.ErrFault)},
	{Input, "path does not exist", Is(fs.ErrNotExist)},
	{Input, "path exists", Is(fs.ErrExist)},
	{Input, "path may not be read or written", Is(fs.ErrPermission)},
	{Input, "file system is read-only", Is(syscall.EROFS)},
	{Input, "path leads through a file", Is(syscall.ENOTDIR)},
	{Input, "path is a directory", Is(syscall.EISDIR)},
	{Input, "name is too long", Is(syscall.ENAMETOOLONG)},
	{Input, "path is not of the kind it must be", otherKind},
	{Failed, "the system failed", As[syscall.Errno]()},
}

func invalidBundle(err error) bool {
	var e *bundle.Error
	return errors.As(err, &e) && e.Invalid()
}

// otherKind recognises the errors that package os makes itself, not the system: a file where
// os.OpenRoot wants a directory.
func otherKind(err error) bool {
	var path *fs.PathError
	var system syscall.Errno
	return errors.As(err, &path) && !errors.As(err, &system)
}
