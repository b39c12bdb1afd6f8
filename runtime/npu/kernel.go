package npu

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unsafe"

	"moge/formats/bundle"
	"moge/runtime/card"
)

func (a *acl) loadBinary(path string) (handle, error) {
	h := new(handle)
	err := a.call(aclrtBinaryLoadFromFile, uintptr(unsafe.Pointer(cString(path))), 0,
		uintptr(unsafe.Pointer(h)))
	return *h, of(path, err)
}

func (a *acl) unloadBinary(b handle) error { return a.call(aclrtBinaryUnLoad, uintptr(b)) }

func (a *acl) function(binary handle, kernel string) (handle, error) {
	h := new(handle)
	err := a.call(aclrtBinaryGetFunction, uintptr(binary), uintptr(unsafe.Pointer(cString(kernel))),
		uintptr(unsafe.Pointer(h)))
	return *h, of("kernel "+kernel, err)
}

// launch puts a kernel on a stream. Arguments go through a list that the library keeps: it knows what
// hidden ones a kernel takes before its own, and lays all of them out, each on a multiple of its size.
func (a *acl) launch(f handle, l card.Launch, s handle) error {
	list := new(handle)
	if err := a.call(aclrtKernelArgsInit, uintptr(f), uintptr(unsafe.Pointer(list))); err != nil {
		return err
	}
	for _, t := range l.Tensors {
		at := new(uint64)
		*at = uint64(t.At)
		if err := a.argument(*list, unsafe.Pointer(at), 8); err != nil {
			return err
		}
	}
	for _, v := range l.Scalars {
		at := new(int32)
		*at = v
		if err := a.argument(*list, unsafe.Pointer(at), 4); err != nil {
			return err
		}
	}
	if err := a.call(aclrtKernelArgsFinalize, uintptr(*list)); err != nil {
		return err
	}
	return a.call(aclrtLaunchKernelWithConfig, uintptr(f), uintptr(l.Blocks), uintptr(s), 0,
		uintptr(*list), 0)
}

// argument copies a value to the end of a list.
func (a *acl) argument(list handle, value unsafe.Pointer, bytes int) error {
	param := new(handle)
	return a.call(aclrtKernelArgsAppend, uintptr(list), uintptr(value), uintptr(bytes),
		uintptr(unsafe.Pointer(param)))
}

// kernelProject is the project of the kernels in a bundle, which says what chip it is for.
const kernelProject = "kernels/cann8/CMakeLists.txt"

var socVersion = regexp.MustCompile(`set\(SOC_VERSION "([^"]*)"`)

// work is what a bundle asks of a machine.
type work struct {
	dir     string
	ranks   int
	chip    string // in small letters; "" if the bundle does not say
	kernels []string
}

func workOf(b *bundle.Bundle) (work, error) {
	m := b.Manifest()
	w := work{dir: b.Dir(), ranks: max(1, len(m.Ranks))}
	for _, k := range m.Kernels {
		w.kernels = append(w.kernels, k.Name)
	}
	text, err := b.File(kernelProject)
	if err != nil {
		return w, err
	}
	if m := socVersion.FindSubmatch(text); m != nil {
		w.chip = string(m[1])
	}
	return w, nil
}

// KernelFiles are the places where the built kernels of a bundle are looked for: beside it, where
//
//	cmake -S NAME.moge/kernels/cann8 -B NAME.moge.build && cmake --build NAME.moge.build
//
// leaves them, or copied to NAME.moge.kernels.o. A bundle itself holds what its manifest lists and
// nothing else.
func KernelFiles(dir string) []string {
	dir = filepath.Clean(dir)
	return []string{dir + ".kernels.o", dir + ".build/fatbin/moge_kernels/moge_kernels.o"}
}

// findKernels is the first of the places that has the kernels, as an absolute path: AscendCL takes no
// other.
func findKernels(dir, chosen string) (string, error) {
	places := KernelFiles(dir)
	if chosen != "" {
		places = []string{chosen}
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return filepath.Abs(path)
		}
	}
	dir = filepath.Clean(dir)
	return "", &Error{What: fmt.Sprintf("%s: its kernels are not built, there is no %s", dir,
		strings.Join(places, " and no ")), Kind: ErrInput,
		Hint: fmt.Sprintf("with CANN's set_env.sh sourced run: cmake -S %s/kernels/cann8 -B %s.build && "+
			"cmake --build %s.build", dir, dir, dir)}
}
