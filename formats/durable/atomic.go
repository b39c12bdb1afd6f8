package durable

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// WriteFileAtomic puts data at path so that a reader, or a crash at any moment, sees the old
// content or the new one and nothing between. When it returns nil the data is on disk. Of two
// concurrent writers of one path the second gets ErrLocked.
func WriteFileAtomic(fsys FS, path string, data []byte) (err error) {
	unlock, err := fsys.Lock(path + ".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	temp := path + ".tmp"
	if err := WriteFileSync(fsys, temp, data); err != nil {
		return errors.Join(err, removeIfExists(fsys, temp))
	}
	if err := fsys.Rename(temp, path); err != nil {
		return errors.Join(err, removeIfExists(fsys, temp))
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// WriteFileSync makes path a new file that holds data, and syncs the file but not its
// directory. A file that a crash left there is replaced, not atomically.
func WriteFileSync(fsys FS, path string, data []byte) error {
	if err := removeIfExists(fsys, path); err != nil {
		return err
	}
	f, err := fsys.Create(path)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func removeIfExists(fsys FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
