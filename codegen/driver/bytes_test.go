package driver

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"moge/formats/durable"
	"moge/passes"
)

const (
	bytesMask    = "MOGE_TEST_UMASK" // octal
	bytesScheme  = "MOGE_TEST_SCHEME"
	bytesWorkers = "MOGE_TEST_WORKERS"
)

// compileForBytes compiles DIR/model in one step and in two, under the umask that it is told.
func compileForBytes(dir string) error {
	if text := os.Getenv(bytesMask); text != "" {
		mask, err := strconv.ParseInt(text, 8, 32)
		if err != nil {
			return err
		}
		setUmask(int(mask))
	}
	m, err := Open(filepath.Join(dir, "model"), false)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := staticSettings(m, os.Getenv(bytesScheme), passes.Options{})
	if err != nil {
		return err
	}
	if s.Execution.Workers, err = strconv.Atoi(os.Getenv(bytesWorkers)); err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := Compile(ctx, durable.OS(), m, filepath.Join(dir, "out.moge"), s); err != nil {
		return err
	}
	_, err = Quantize(ctx, durable.OS(), m, filepath.Join(dir, "quantized"), s)
	return err
}

// modes gives the permissions of everything below a directory.
func modes(t testing.TB, dir string) map[string]fs.FileMode {
	t.Helper()
	list := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		rel, _ := filepath.Rel(dir, path)
		list[rel] = info.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestBytesDoNotDependOnTheProcess(t *testing.T) {
	type run struct {
		folder string
		env    []string
	}
	workers := func(n int) string { return fmt.Sprint(bytesWorkers, "=", n) }
	runs := []run{
		{"a", []string{"GOMAXPROCS=1", "TZ=UTC", bytesMask + "=022", workers(1)}},
		{"a longer/name of a/folder", []string{"GOMAXPROCS=2", "TZ=Pacific/Kiritimati", bytesMask + "=0", workers(2)}},
		{"b", []string{"GOMAXPROCS=7", "TZ=America/St_Johns", bytesMask + "=077", workers(5)}},
	}
	for _, scheme := range []string{"none", "w8a8"} {
		for _, family := range []string{"pangu_pro_moe", "llama"} {
			var bytes map[string]map[string]string
			var permissions map[string]map[string]fs.FileMode
			for _, r := range runs {
				dir := filepath.Join(t.TempDir(), r.folder)
				copyTree(t, filepath.Join(families, family), filepath.Join(dir, "model"))
				runChild(t, "bytes", dir, append(r.env, bytesScheme+"="+scheme)...)
				got, gotModes := map[string]map[string]string{}, map[string]map[string]fs.FileMode{}
				for _, out := range []string{"out.moge", "quantized"} {
					got[out], gotModes[out] = readTree(t, filepath.Join(dir, out)), modes(t, filepath.Join(dir, out))
				}
				if bytes == nil {
					bytes, permissions = got, gotModes
				}
				for out := range bytes {
					if !maps.Equal(got[out], bytes[out]) {
						t.Errorf("%s, %s: %s has other bytes under %v", family, scheme, out, r.env)
					}
					if !maps.Equal(gotModes[out], permissions[out]) {
						t.Errorf("%s, %s: %s has other permissions under %v", family, scheme, out, r.env)
					}
				}
			}
		}
	}
}
