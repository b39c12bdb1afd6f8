//go:build unix

package bundle

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"moge/formats/durable"
)

// The same job under another umask leaves the same bytes and the same modes.
func TestUmaskDoesNotMatter(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for _, mask := range []int{0, 0o022, 0o077} {
		syscall.Umask(0)
		dir := filepath.Join(t.TempDir(), "tiny.moge")
		syscall.Umask(mask)
		if err := build(durable.OS(), testJob(dir), smallChunks); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if want := map[bool]fs.FileMode{true: 0o755, false: 0o644}[d.IsDir()]; err == nil &&
				info.Mode().Perm() != want {
				t.Errorf("umask %03o: %s has mode %v", mask, path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		eachFile(t, dir, func(path string, data []byte) {
			rel, err := filepath.Rel(dir, path)
			if want, _ := undisturbed(t, smallChunks); err != nil ||
				want["out.moge/"+filepath.ToSlash(rel)] != string(data) {
				t.Errorf("umask %03o: %s has other bytes", mask, path)
			}
		})
	}
}
