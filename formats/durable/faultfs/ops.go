package faultfs

import (
	"errors"
	"io/fs"
	"path"
	"syscall"

	"moge/formats/durable"
)

// Create implements durable.FS.
func (f *FS) Create(p string) (durable.File, error) {
	n, err := f.make("create", p, &node{})
	if err != nil {
		return nil, err
	}
	return &file{fs: f, node: n, path: p, writable: true}, nil
}

// Mkdir implements durable.FS.
func (f *FS) Mkdir(p string) error {
	_, err := f.make("mkdir", p, newDir())
	return err
}

func (f *FS) make(op, p string, n *node) (*node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op(); err != nil {
		return nil, pathError(op, p, err)
	}
	dir, name, err := f.findParent(p)
	if err != nil {
		return nil, pathError(op, p, err)
	}
	if dir.live[name] != nil {
		return nil, pathError(op, p, fs.ErrExist)
	}
	f.change(entryChange{add: dir, addName: name, child: n})
	return n, nil
}

// MkdirAll implements durable.FS; each new directory is one operation.
func (f *FS) MkdirAll(p string) error {
	info, err := f.Stat(p)
	if err == nil && !info.IsDir() {
		return pathError("mkdir", p, syscall.ENOTDIR)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.MkdirAll(path.Dir(path.Clean("/" + p))); err != nil {
		return err
	}
	return f.Mkdir(p)
}

// Open implements durable.FS.
func (f *FS) Open(p string) (durable.File, error) { return f.open(p, false) }

// OpenWrite implements durable.FS.
func (f *FS) OpenWrite(p string) (durable.File, error) { return f.open(p, true) }

func (f *FS) open(p string, writable bool) (durable.File, error) {
	n, err := f.look("open", p)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, pathError("open", p, syscall.EISDIR)
	}
	return &file{fs: f, node: n, path: p, writable: writable}, nil
}

// look finds a node without counting an operation.
func (f *FS) look(op, p string) (*node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed() {
		return nil, pathError(op, p, ErrCrash)
	}
	n, err := f.find(p)
	if err != nil {
		return nil, pathError(op, p, err)
	}
	return n, nil
}

// Rename implements durable.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op(); err != nil {
		return pathError("rename", from, err)
	}
	n, err := f.find(from)
	if err != nil {
		return pathError("rename", from, err)
	}
	oldDir, oldName, err := f.findParent(from)
	if err != nil {
		return pathError("rename", from, err)
	}
	newDir, newName, err := f.findParent(to)
	if err != nil {
		return pathError("rename", to, err)
	}
	if target := newDir.live[newName]; target != nil && target != n && (target.dir || n.dir) {
		return pathError("rename", to, fs.ErrExist)
	}
	f.change(entryChange{remove: oldDir, removeName: oldName, add: newDir, addName: newName, child: n})
	return nil
}

// Remove implements durable.FS.
func (f *FS) Remove(p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op(); err != nil {
		return pathError("remove", p, err)
	}
	n, err := f.find(p)
	if err != nil {
		return pathError("remove", p, err)
	}
	dir, name, err := f.findParent(p)
	if err != nil {
		return pathError("remove", p, err)
	}
	c, err := n.remove(dir, name)
	if err != nil {
		return pathError("remove", p, err)
	}
	f.change(c)
	return nil
}

// RemoveAll implements durable.FS; each file and directory is one operation.
func (f *FS) RemoveAll(p string) error {
	n, err := f.look("remove", p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n.dir {
		entries, err := f.ReadDir(p)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := f.RemoveAll(path.Join(p, e.Name())); err != nil {
				return err
			}
		}
	}
	return f.Remove(p)
}

// SyncDir implements durable.FS.
func (f *FS) SyncDir(p string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op(); err != nil {
		return pathError("sync", p, err)
	}
	n, err := f.find(p)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError("sync", p, err)
	}
	f.syncEntries(n)
	return nil
}

// Lock implements durable.FS; locks do not outlive a crash.
func (f *FS) Lock(p string) (func() error, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.op(); err != nil {
		return nil, pathError("lock", p, err)
	}
	key := path.Clean("/" + p)
	if f.locks[key] {
		return nil, pathError("lock", p, durable.ErrLocked)
	}
	f.locks[key] = true
	return func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.locks, key)
		return nil
	}, nil
}

// Free implements durable.FS.
func (f *FS) Free(p string) (int64, error) {
	if _, err := f.look("statfs", p); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults.free, nil
}
