package faultfs

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"sort"
	"sync"
	"syscall"

	"moge/formats/durable"
)

// ErrCrash is the error of every operation at and after the crash.
var ErrCrash = errors.New("the machine has crashed")

// FS is a file system in memory; safe for concurrent use. Paths are slash-separated; relative
// and absolute ones mean the same.
type FS struct {
	mu      sync.Mutex
	root    *node
	pending []entryChange // in the order they were made
	locks   map[string]bool
	faults  faults
}

// faults is what was ordered by CrashAt, FailAt, ShortWriteAt, SetSpace and SetFree.
type faults struct {
	ops     int
	crashAt int
	failAt  map[int]error
	shortAt int
	space   int64 // bytes that can still be added to files
	free    int64 // what Free reports
}

// New is an empty file system.
func New() *FS {
	return &FS{
		root:   newDir(),
		locks:  map[string]bool{},
		faults: faults{failAt: map[int]error{}, space: math.MaxInt64, free: math.MaxInt64},
	}
}

// Ops is the number of operations so far.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults.ops
}

// CrashAt makes operation n (the first is 1) and everything after it fail with ErrCrash.
func (f *FS) CrashAt(n int) { f.order(func(o *faults) { o.crashAt = n }) }

// FailAt makes operation n fail with err and without effect; later ones work again.
func (f *FS) FailAt(n int, err error) { f.order(func(o *faults) { o.failAt[n] = err }) }

// ShortWriteAt makes operation n, if it is a write, store only half of its bytes and fail.
func (f *FS) ShortWriteAt(n int) { f.order(func(o *faults) { o.shortAt = n }) }

// SetSpace makes writes that add more than n bytes to files from now on fail with ENOSPC,
// after the part that fits.
func (f *FS) SetSpace(n int64) { f.order(func(o *faults) { o.space = n }) }

// SetFree is what Free reports, whatever SetSpace allows.
func (f *FS) SetFree(n int64) { f.order(func(o *faults) { o.free = n }) }

func (f *FS) order(set func(*faults)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set(&f.faults)
}

// op counts one operation and returns its ordered error.
func (f *FS) op() error {
	f.faults.ops++
	if f.crashed() {
		return ErrCrash
	}
	return f.faults.failAt[f.faults.ops]
}

func (f *FS) crashed() bool { return f.faults.crashAt > 0 && f.faults.ops >= f.faults.crashAt }

func pathError(op, p string, err error) error { return &fs.PathError{Op: op, Path: p, Err: err} }

// find returns the node at p in the live tree.
func (f *FS) find(p string) (*node, error) {
	n := f.root
	for _, name := range split(p) {
		if !n.dir {
			return nil, syscall.ENOTDIR
		}
		next, ok := n.live[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// findParent returns the directory that holds p, and p's name in it.
func (f *FS) findParent(p string) (*node, string, error) {
	names := split(p)
	if len(names) == 0 {
		return nil, "", fs.ErrInvalid
	}
	dir, err := f.find(path.Dir("/" + p))
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	return dir, names[len(names)-1], err
}

func split(p string) []string {
	p = path.Clean("/" + p)
	var names []string
	for p != "/" {
		names = append(names, path.Base(p))
		p = path.Dir(p)
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return names
}

// Snapshot gives the live content of every file below dir by relative path, and "" for every
// directory under its path with a trailing slash.
func (f *FS) Snapshot(dir string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]string{}
	if n, err := f.find(dir); err == nil {
		n.snapshot("", all)
	}
	return all
}

func (n *node) snapshot(prefix string, all map[string]string) {
	if !n.dir {
		all[prefix] = string(n.data)
		return
	}
	for _, name := range n.names() {
		child := n.live[name]
		full := path.Join(prefix, name)
		if child.dir {
			all[full+"/"] = ""
		}
		child.snapshot(full, all)
	}
}

func (n *node) names() []string {
	names := make([]string, 0, len(n.live))
	for name := range n.live {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

var _ durable.FS = (*FS)(nil)
