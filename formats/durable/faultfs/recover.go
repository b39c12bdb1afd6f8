package faultfs

import (
	"math/rand/v2"
	"slices"
	"sort"
)

// Mode says what becomes of changes that were not synced when the power went.
type Mode int

// The modes of Recover.
const (
	// Drop loses every unsynced write and directory entry.
	Drop Mode = iota
	// Keep has them all on disk, as if the system had just flushed.
	Keep
	// KeepNames has all directory entries on disk, but no unsynced content: files that
	// exist and are empty or old.
	KeepNames
	// KeepData has all content on disk, but no unsynced directory entry.
	KeepData
	// Torn keeps a random choice of entries, and of each write a random choice of 512-byte
	// sectors or a prefix.
	Torn
)

// Modes lists every mode.
func Modes() []Mode { return []Mode{Drop, Keep, KeepNames, KeepData, Torn} }

// String is the name of the mode in test output.
func (m Mode) String() string {
	return [...]string{"drop", "keep", "keep-names", "keep-data", "torn"}[m]
}

const sectorBytes = 512

// Recover returns the file system as a disk may hold it after power loss now; the seed decides
// what Torn keeps. No fault is ordered on the result and no lock held; f must not be used again.
func (f *FS) Recover(mode Mode, seed uint64) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &recovery{mode, rand.New(rand.NewPCG(seed, seed)), map[*node]*node{}}
	for _, c := range f.pending {
		if r.keepsEntry() {
			c.toDisk()
		}
	}
	after := New()
	after.root = r.node(f.root)
	return after
}

type recovery struct {
	mode Mode
	rand *rand.Rand
	done map[*node]*node // a node can be in two places after a torn rename
}

func (r *recovery) keepsEntry() bool {
	switch r.mode {
	case Keep, KeepNames:
		return true
	case Torn:
		return r.rand.IntN(2) == 0
	}
	return false
}

// node copies what is on disk of n.
func (r *recovery) node(n *node) *node {
	if copied := r.done[n]; copied != nil {
		return copied
	}
	if !n.dir {
		content := r.content(n)
		r.done[n] = &node{data: content, synced: slices.Clone(content)}
		return r.done[n]
	}
	copied := newDir()
	r.done[n] = copied
	names := make([]string, 0, len(n.disk))
	for name := range n.disk {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		child := r.node(n.disk[name])
		copied.live[name], copied.disk[name] = child, child
	}
	return copied
}

func (r *recovery) content(n *node) []byte {
	switch r.mode {
	case Keep, KeepData:
		return slices.Clone(n.data)
	case Torn:
		content := slices.Clone(n.synced)
		for _, c := range n.changes {
			content = r.tear(c, content)
		}
		return content
	}
	return slices.Clone(n.synced)
}

// tear applies a random part of a change.
func (r *recovery) tear(c dataChange, content []byte) []byte {
	if c.truncate {
		if r.rand.IntN(2) == 0 {
			return c.apply(content)
		}
		return content
	}
	if r.rand.IntN(2) == 0 {
		n := r.rand.IntN(len(c.data) + 1)
		return dataChange{offset: c.offset, data: c.data[:n]}.apply(content)
	}
	for start := int64(0); start < int64(len(c.data)); {
		sector := (c.offset + start) / sectorBytes
		end := min(int64(len(c.data)), (sector+1)*sectorBytes-c.offset)
		if r.rand.IntN(2) == 0 {
			content = dataChange{offset: c.offset + start, data: c.data[start:end]}.apply(content)
		}
		start = end
	}
	return content
}
