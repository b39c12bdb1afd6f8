//go:build linux || darwin

package emu

import (
	"os"
	"syscall"
)

// shareMemory makes memory that a child process can map too: a sparse file without a name.
func shareMemory(bytes int64) (*os.File, []byte, error) {
	f, err := memoryFile(bytes)
	if err != nil {
		return nil, nil, err
	}
	if err := f.Truncate(bytes); err != nil {
		f.Close()
		return nil, nil, err
	}
	prot := syscall.PROT_READ | syscall.PROT_WRITE
	data, err := syscall.Mmap(int(f.Fd()), 0, int(bytes), prot, syscall.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, data, nil
}

// memoryFile prefers a file system in memory, where it has the room: a mapping of one that is full
// would fail at some store later on.
func memoryFile(bytes int64) (*os.File, error) {
	dir := os.TempDir()
	var free syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &free); err == nil {
		if uint64(free.Bavail)*uint64(free.Bsize) > uint64(bytes) {
			dir = "/dev/shm"
		}
	}
	f, err := os.CreateTemp(dir, "moge-device-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func releaseMemory(f *os.File, data []byte) error {
	err := syscall.Munmap(data)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
