package durable

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is returned, wrapped with the path, by FS.Lock when another holder is alive.
var ErrLocked = errors.New("locked by another process")

// File is an open file. Writes are visible to readers at once, but on disk only after Sync.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate sets the length in bytes; growth reads as zeros.
	Truncate(size int64) error
	// Sync returns once all writes to the file are on disk. After an error nothing is known
	// about earlier writes, and a second call must not be trusted.
	Sync() error
	// Size is the current length in bytes.
	Size() (int64, error)
}

// FS is a file system. Errors are *fs.PathError or wrap one. Creation, renaming and removal
// are on disk only after SyncDir of the directories they touch.
type FS interface {
	// Create makes a new file for reading and writing; fs.ErrExist if the path exists.
	Create(path string) (File, error)
	// Open opens an existing file for reading.
	Open(path string) (File, error)
	// OpenWrite opens an existing file for reading and writing.
	OpenWrite(path string) (File, error)
	// Rename moves a file or directory. It replaces a file at the new path, but not a directory.
	Rename(from, to string) error
	// Remove deletes a file or an empty directory.
	Remove(path string) error
	// RemoveAll deletes a path and all below it; a missing path is no error.
	RemoveAll(path string) error
	// Mkdir makes one directory; fs.ErrExist if the path exists.
	Mkdir(path string) error
	// MkdirAll makes a directory and its parents; an existing directory is no error.
	MkdirAll(path string) error
	// ReadDir lists a directory sorted by name.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Stat describes a path.
	Stat(path string) (fs.FileInfo, error)
	// SyncDir returns once all creations, renames and removals in the directory are on disk.
	SyncDir(path string) error
	// Lock takes an exclusive lock that lives as long as its holder and never waits; the path
	// is a file made for it, which unlock removes. ErrLocked if another holder is alive.
	Lock(path string) (unlock func() error, err error)
	// Free is the number of bytes that can still be written at an existing path.
	Free(path string) (int64, error)
}
