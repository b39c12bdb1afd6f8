package npu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"moge/runtime/npu/dl"
)

// File names of the libraries.
const (
	aclFile  = "libascendcl.so"
	hcclFile = "libhccl.so"
)

// homes are the environment variables that CANN's set_env.sh sets.
var homes = []string{"ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"}

// installed is where CANN is installed unless somebody chose another place.
var installed = []string{"/usr/local/Ascend/ascend-toolkit/latest", "/usr/local/Ascend/cann"}

// homesOf are the folders that CANN may be installed in, the chosen ones first.
func homesOf() []string {
	var list []string
	for _, name := range homes {
		if dir := os.Getenv(name); dir != "" {
			list = append(list, dir)
		}
	}
	return append(list, installed...)
}

// candidates are the names that a library is looked for under: in the folders alone if there are any,
// else where CANN is installed, then wherever the system looks.
func candidates(file string, folders []string) []string {
	var list []string
	if len(folders) > 0 {
		for _, dir := range folders {
			list = append(list, filepath.Join(dir, file))
		}
		return list
	}
	for _, home := range homesOf() {
		list = append(list, filepath.Join(home, "lib64", file))
	}
	return append(list, file)
}

// found is a library, or why there is none.
type found struct {
	lib   *dl.Library
	path  string   // the name that it was loaded by
	tried []string // each with the reason
}

// locate loads the first candidate that can be loaded.
func locate(file string, folders []string) found {
	var f found
	if err := dl.Supported(); err != nil {
		f.tried = []string{err.Error()}
		return f
	}
	for _, path := range candidates(file, folders) {
		if filepath.IsAbs(path) {
			if _, err := os.Stat(path); err != nil {
				f.tried = append(f.tried, path+": not there")
				continue
			}
		}
		lib, err := dl.Open(path)
		if err == nil {
			f.lib, f.path = lib, path
			return f
		}
		reason := strings.TrimPrefix(err.Error(), path+": ")
		f.tried = append(f.tried, path+": "+reason)
	}
	return f
}

// InstallHint says what to do where CANN is missing.
const InstallHint = "install CANN for the chip and source its set_env.sh"

// missing is the error of a library that could not be loaded.
func (f found) missing(file string) error {
	if err := dl.Supported(); err != nil {
		return &Error{What: "no cards can be used", Kind: ErrMissing, Err: err,
			Hint: "use one that was built for it"}
	}
	return &Error{What: fmt.Sprintf("%s cannot be loaded (%s)", file, strings.Join(f.tried, "; ")),
		Hint: InstallHint, Kind: ErrMissing}
}

// symbols finds functions by name; optional ones may be missing.
func symbols(f found, names, optional []string) ([]dl.Func, error) {
	funcs := make([]dl.Func, 0, len(names)+len(optional))
	for _, name := range names {
		fn := f.lib.Func(name)
		if fn == 0 {
			return nil, &Error{What: fmt.Sprintf("%s has no function %s", f.path, name), Kind: ErrMissing,
				Hint: "this CANN is too old: install CANN 8.1 or newer"}
		}
		funcs = append(funcs, fn)
	}
	for _, name := range optional {
		funcs = append(funcs, f.lib.Func(name))
	}
	return funcs, nil
}
