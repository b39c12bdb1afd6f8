//go:build unix

package kernels

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"moge/runtime/cpu"
)

// TestWeightsCutShortAreAnError multiplies by weights in a mapped file that has been cut, so
// that the fault happens in assembly.
func TestWeightsCutShortAreAnError(t *testing.T) {
	const tiles, k = 8, 4096
	w := Int8s(cutFile(t, tiles*TileRows*k))
	pool := cpu.NewPool(2)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		acc, x, sums := make([]int32, tiles*TileRows), make([]int8, k), make([]int32, tiles*16)
		dst, xf := make([]float32, tiles*TileRows), make([]float32, k)
		for name, run := range map[string]func(){
			"MatMulI8": func() { MatMulI8(acc, x, k, 1, w, tiles, k, sums) },
			"MatMulW8": func() { MatMulW8(dst, tiles*TileRows, xf, k, 1, w, tiles, k) },
			"DotI8F32": func() { DotI8F32(xf, w[:k]) },
		} {
			err := pool.Run(1, func(_, _ int) { run() })
			var failure *cpu.PanicError
			var memory runtime.Error
			if !errors.As(err, &failure) || !errors.As(err, &memory) {
				t.Errorf("%s: error %v is not that of a fault", name, err)
			}
		}
	})
}

// cutFile maps a file of size bytes and cuts it to nothing.
func cutFile(t *testing.T, size int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mapped, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mapped) })
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	return mapped
}
