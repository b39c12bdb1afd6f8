package emu

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Shared is a shared library to build of C++ texts, each a translation unit. It may use those that are
// built before it.
type Shared struct {
	File  string // such as "libx.so"
	Parts []string
}

// BuildShared builds shared libraries, once a machine, and gives the folder that has them. A machine
// without a compiler gives ErrNoCompiler.
func BuildShared(ctx context.Context, libraries []Shared) (string, error) {
	tools, err := findToolchain()
	if err != nil {
		return "", err
	}
	s, err := openStore()
	if err != nil {
		return "", err
	}
	key := []string{tools.path, tools.version, tools.target}
	for _, l := range libraries {
		key = append(append(key, l.File), l.Parts...)
	}
	return s.make("shared-"+hash(key...), func(scratch string) (string, error) {
		dir := filepath.Join(scratch, "out")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
		var before []string
		for _, l := range libraries {
			if err := tools.shared(ctx, scratch, dir, l, before); err != nil {
				return "", err
			}
			before = append(before, "-l"+strings.TrimSuffix(strings.TrimPrefix(l.File, "lib"), ".so"))
		}
		return dir, nil
	})
}

// shared builds one library, which uses those built before it.
func (t toolchain) shared(ctx context.Context, scratch, dir string, l Shared, before []string) error {
	args := []string{"-std=c++17", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-pthread",
		"-o", filepath.Join(dir, l.File)}
	for i, text := range l.Parts {
		in := filepath.Join(scratch, fmt.Sprintf("%s.%d.cpp", l.File, i))
		if err := os.WriteFile(in, []byte(text), 0o644); err != nil {
			return err
		}
		args = append(args, in)
	}
	args = append(args, "-Wl,-soname,"+l.File, "-Wl,-rpath,$ORIGIN", "-L", dir)
	said, err := t.run(ctx, append(args, before...)...)
	if err != nil {
		return fmt.Errorf("build %s: %w", l.File, &toolError{said, err})
	}
	return nil
}

// binaryMark ends a binary, behind the length of what the emulated AscendCL must know of it.
const binaryMark = "MOGEKERN"

// WriteBinary writes the library to a file that the emulated AscendCL of package acl loads as it would
// one of CANN's: the program, what it must be told when it starts, and the kinds of its kernels.
func (l *Library) WriteBinary(path string) error {
	w := &writer{}
	greeting := (&Device{lib: l}).greeting().data
	w.text(string(greeting[:len(greeting)-8])) // without the size of the memory, which comes last
	w.u32(uint32(len(l.kinds)))
	for _, name := range slices.Sorted(maps.Keys(l.kinds)) {
		w.text(name)
		w.u8(uint8(l.kinds[name]))
	}
	n := len(w.data)
	w.u64(uint64(n))
	w.data = append(w.data, binaryMark...)
	program, err := os.Open(l.path)
	if err != nil {
		return fmt.Errorf("kernels: %w", err)
	}
	defer program.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return fmt.Errorf("kernels: %w", err)
	}
	if _, err := io.Copy(out, io.MultiReader(program, bytes.NewReader(w.data))); err != nil {
		out.Close()
		return fmt.Errorf("kernels: %w", err)
	}
	return out.Close()
}
