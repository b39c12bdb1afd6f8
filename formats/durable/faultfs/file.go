package faultfs

import (
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// file is an open handle; it keeps its node when the path is renamed or removed.
type file struct {
	fs       *FS
	node     *node
	path     string
	writable bool
	closed   bool
}

func (h *file) ReadAt(b []byte, offset int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.usable("read"); err != nil {
		return 0, err
	}
	if offset >= int64(len(h.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.node.data[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *file) usable(op string) error {
	if h.fs.crashed() {
		return pathError(op, h.path, ErrCrash)
	}
	if h.closed {
		return pathError(op, h.path, fs.ErrClosed)
	}
	return nil
}

// start counts an operation that changes the file.
func (h *file) start(op string) error {
	if err := h.fs.op(); err != nil {
		return pathError(op, h.path, err)
	}
	if !h.writable {
		return pathError(op, h.path, fs.ErrPermission)
	}
	return h.usable(op)
}

func (h *file) WriteAt(b []byte, offset int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.start("write"); err != nil {
		return 0, err
	}
	n, err := len(b), error(nil)
	if h.fs.faults.ops == h.fs.faults.shortAt {
		n, err = len(b)/2, pathError("write", h.path, io.ErrShortWrite)
	}
	if room := h.room(offset); int64(n) > room {
		n, err = int(room), pathError("write", h.path, syscall.ENOSPC)
	}
	h.write(dataChange{offset: offset, data: slices.Clone(b[:n])})
	return n, err
}

// room is the number of bytes that can be written at offset before the disk is full. Bytes
// inside the file are already paid for.
func (h *file) room(offset int64) int64 {
	inside := int64(len(h.node.data)) - offset
	return max(0, inside+min(h.fs.faults.space, 1<<62))
}

func (h *file) write(c dataChange) {
	before := int64(len(h.node.data))
	h.node.data = c.apply(h.node.data)
	h.node.changes = append(h.node.changes, c)
	h.fs.faults.space -= max(0, int64(len(h.node.data))-before)
}

func (h *file) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.start("truncate"); err != nil {
		return err
	}
	if size-int64(len(h.node.data)) > h.fs.faults.space {
		return pathError("truncate", h.path, syscall.ENOSPC)
	}
	h.write(dataChange{offset: size, truncate: true})
	return nil
}

func (h *file) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.start("sync"); err != nil {
		return err
	}
	h.node.synced = slices.Clone(h.node.data)
	h.node.changes = nil
	return nil
}

func (h *file) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.usable("stat"); err != nil {
		return 0, err
	}
	return int64(len(h.node.data)), nil
}

func (h *file) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return pathError("close", h.path, fs.ErrClosed)
	}
	h.closed = true
	return nil
}
