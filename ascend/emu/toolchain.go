package emu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// CompilerVariable names the environment variable that chooses the C++ compiler.
const CompilerVariable = "MOGE_CXX"

// ErrNoCompiler is returned where no C++17 compiler can be found.
var ErrNoCompiler = errors.New("no C++ compiler: install g++ or clang++, or set " +
	CompilerVariable)

// toolchain is the host's C++ compiler.
type toolchain struct {
	path    string
	version string // first line of --version
	target  string // what -march=native means here, as a hash: objects run on this machine only
	clang   bool
}

var findToolchain = sync.OnceValues(lookToolchain)

// Available reports whether kernels can be compiled on this machine.
func Available() error {
	_, err := findToolchain()
	return err
}

func lookToolchain() (toolchain, error) {
	names := []string{"g++", "clang++", "c++"}
	if v := os.Getenv(CompilerVariable); v != "" {
		names = []string{v}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			continue
		}
		macros, err := exec.Command(path, "-march=native", "-dM", "-E", "-xc++", os.DevNull).Output()
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(out), "\n")
		return toolchain{path, first, hash(string(macros)), strings.Contains(string(out), "clang")}, nil
	}
	return toolchain{}, ErrNoCompiler
}

// run executes the compiler; what it says on failure is returned as text.
func (t toolchain) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, t.path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("compile kernels: %w", ctx.Err())
	}
	return out.String(), err
}

// common are the flags of every translation unit. The machine's own instructions are used; sums
// stay as written, so that results are the same on every machine that rounds correctly.
func (t toolchain) common(macro int) []string {
	flags := []string{
		"-std=c++17", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing",
		fmt.Sprintf("-D__CCE_AICORE__=%d", macro),
	}
	if macro == 200 {
		return append(flags, "-D__DAV_M200__", "-D__NPU_ARCH__=2002")
	}
	return append(flags, "-D__DAV_C220__", "-D__NPU_ARCH__=2201")
}
