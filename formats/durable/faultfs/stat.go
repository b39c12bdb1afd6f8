package faultfs

import (
	"io/fs"
	"path"
	"syscall"
	"time"
)

// info is the fs.FileInfo of a node at the time of the call.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) IsDir() bool        { return i.dir }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// Stat implements durable.FS.
func (f *FS) Stat(p string) (fs.FileInfo, error) {
	n, err := f.look("stat", p)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return info{path.Base(path.Clean("/" + p)), int64(len(n.data)), n.dir}, nil
}

// ReadDir implements durable.FS.
func (f *FS) ReadDir(p string) ([]fs.DirEntry, error) {
	n, err := f.look("readdir", p)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !n.dir {
		return nil, pathError("readdir", p, syscall.ENOTDIR)
	}
	var entries []fs.DirEntry
	for _, name := range n.names() {
		child := n.live[name]
		entries = append(entries, fs.FileInfoToDirEntry(info{name, int64(len(child.data)), child.dir}))
	}
	return entries, nil
}
