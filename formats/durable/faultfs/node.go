package faultfs

import "io/fs"

// node is a file or directory with two faces: what programs see, and what is surely on disk.
type node struct {
	dir bool

	live map[string]*node // directory entries that programs see
	disk map[string]*node // directory entries on disk

	data    []byte // file content that programs see
	synced  []byte // file content on disk
	changes []dataChange
}

// dataChange is a write or truncation since the last sync.
type dataChange struct {
	offset   int64
	data     []byte
	truncate bool // to offset
}

// entryChange is a creation, removal or rename that is not on disk yet. It happens whole or
// not at all, as journaling file systems do it.
type entryChange struct {
	remove, add         *node // directories; nil if the change has no such half
	removeName, addName string
	child               *node // what is added
}

func newDir() *node { return &node{dir: true, live: map[string]*node{}, disk: map[string]*node{}} }

// change applies an entry change to the live tree and remembers it for the disk.
func (f *FS) change(c entryChange) {
	if c.remove != nil {
		delete(c.remove.live, c.removeName)
	}
	if c.add != nil {
		c.add.live[c.addName] = c.child
	}
	f.pending = append(f.pending, c)
}

// toDisk applies an entry change to the disk tree.
func (c entryChange) toDisk() {
	if c.remove != nil {
		delete(c.remove.disk, c.removeName)
	}
	if c.add != nil {
		c.add.disk[c.addName] = c.child
	}
}

func (c entryChange) touches(dir *node) bool { return c.remove == dir || c.add == dir }

// syncEntries puts the pending changes of one directory on disk, in order.
func (f *FS) syncEntries(dir *node) {
	var rest []entryChange
	for _, c := range f.pending {
		if c.touches(dir) {
			c.toDisk()
		} else {
			rest = append(rest, c)
		}
	}
	f.pending = rest
}

// apply performs the change on content and returns the new content.
func (c dataChange) apply(content []byte) []byte {
	if c.truncate {
		return resize(content, c.offset)
	}
	if end := c.offset + int64(len(c.data)); end > int64(len(content)) {
		content = resize(content, end)
	}
	copy(content[c.offset:], c.data)
	return content
}

func resize(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

func (n *node) remove(parent *node, name string) (entryChange, error) {
	if n.dir && len(n.live) > 0 {
		return entryChange{}, fs.ErrExist
	}
	return entryChange{remove: parent, removeName: name}, nil
}
