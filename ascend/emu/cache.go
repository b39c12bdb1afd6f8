package emu

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed cpp
var cpp embed.FS

// cppFiles are the embedded sources with their text, in a fixed order.
var cppFiles = sync.OnceValue(func() map[string]string {
	files := map[string]string{}
	err := fs.WalkDir(cpp, "cpp", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := cpp.ReadFile(path)
		files[strings.TrimPrefix(path, "cpp/")] = string(text)
		return err
	})
	if err != nil {
		panic("BUG: embedded sources: " + err.Error())
	}
	return files
})

// hash is a key over parts, none of which can run into the next.
func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// cppKey covers the embedded sources whose path has the prefix.
func cppKey(prefix string) string {
	var parts []string
	for path, text := range cppFiles() {
		if strings.HasPrefix(path, prefix) {
			parts = append(parts, path+"\n"+text)
		}
	}
	slices.Sort(parts)
	return hash(parts...)
}

// store is the folder of compiled files. Several processes may use it at once: files appear under
// their final name by a rename, complete or not at all.
type store struct {
	dir  string
	temp bool // nothing outlives the library
}

func openStore() (store, error) {
	if base, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(base, "moge", "emu")
		if err := os.MkdirAll(dir, 0o755); err == nil && writable(dir) {
			pruneOnce(dir)
			return store{dir, false}, nil
		}
	}
	dir, err := os.MkdirTemp("", "moge-emu-")
	if err != nil {
		return store{}, fmt.Errorf("folder for compiled kernels: %w", err)
	}
	return store{dir, true}, nil
}

// keepFor is how long a file stays that nobody uses.
const keepFor = 14 * 24 * time.Hour

var pruned sync.Once

func pruneOnce(dir string) { pruned.Do(func() { prune(dir, time.Now()) }) }

// prune removes what was not used for long; errors leave the file for the next time.
func prune(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keepFor {
			os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

// make returns the path of a cached file; build is called with a scratch folder when it is missing,
// and returns the file to keep.
func (s store) make(name string, build func(scratch string) (string, error)) (string, error) {
	path := filepath.Join(s.dir, name)
	if _, err := os.Stat(path); err == nil {
		now := time.Now()
		return path, ignoreMissing(os.Chtimes(path, now, now))
	}
	scratch, err := os.MkdirTemp(s.dir, "build-")
	if err != nil {
		return "", fmt.Errorf("folder for compiled kernels: %w", err)
	}
	defer os.RemoveAll(scratch)
	made, err := build(scratch)
	if err != nil {
		return "", err
	}
	if err := os.Rename(made, path); err != nil {
		if _, there := os.Stat(path); there == nil { // another process was faster with a folder
			return path, nil
		}
		return "", fmt.Errorf("keep compiled kernels: %w", err)
	}
	return path, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// headers returns the include folder, written out on first use.
func (s store) headers() (string, error) {
	return s.make("include-"+cppKey("include/"), func(scratch string) (string, error) {
		root := filepath.Join(scratch, "include")
		for path, text := range cppFiles() {
			rest, ok := strings.CutPrefix(path, "include/")
			if !ok {
				continue
			}
			to := filepath.Join(root, rest)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return "", err
			}
			if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
				return "", err
			}
		}
		return root, nil
	})
}
