package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/soc"
)

// scale is y[T, 32] = x · 2, a kernel of a few lines.
func scale(t *testing.T, name string, chip *soc.Chip) *device.Program {
	t.Helper()
	b := kernel.New(name, "y[T, 32] = 2 x[T, 32], half.")
	rows := b.Param("rows", 1, 64)
	x := b.Input("x", kernel.F16, kernel.Matrix(rows, 32))
	y := b.Output("y", kernel.F16, kernel.Matrix(rows, 32))
	ring := b.Ring("tile", 2, kernel.VecTile(kernel.F16, 1, 32))
	b.Units("row", rows, func(u kernel.Int) {
		tile := ring.Next()
		b.Load(tile, x.Rows(u, kernel.N(1)))
		b.Muls(tile, tile, kernel.F(2))
		b.Store(y.Rows(u, kernel.N(1)), tile)
	})
	k, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Lower(k, chip)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func chip(t *testing.T, name string) *soc.Chip {
	t.Helper()
	c, err := soc.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func project(t *testing.T, chip *soc.Chip, programs ...*device.Program) map[string]string {
	t.Helper()
	files, err := Project(chip, programs)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, f := range files {
		if i > 0 && files[i-1].Path >= f.Path {
			t.Errorf("%s stands after %s", f.Path, files[i-1].Path)
		}
		all[f.Path] = string(f.Data)
	}
	return all
}

func TestProjectHoldsEveryKernelTwice(t *testing.T) {
	c := chip(t, "300i-duo")
	all := project(t, c, scale(t, "second", c), scale(t, "first", c))
	for path, wants := range map[string][]string{
		"cann8/first.cpp":      {`extern "C" __global__ __aicore__ void first(GM_ADDR x, GM_ADDR y, int32_t rows)`},
		"cann9/second.asc":     {`void second(`},
		"cann8/CMakeLists.txt": {"ascend310p3", "    first.cpp\n    second.cpp\n", "--cce-auto-sync=off"},
		"cann9/CMakeLists.txt": {"dav-2002", "    first.asc\n    second.asc\n", "--cce-auto-sync=off"},
		"include/arguments.h":  {"struct first_arguments {\n    void *x;", "int32_t rows; // 1 to 64", "== 24"},
		"README.md": {"Ascend310P3", "| first | y[T, 32] = 2 x[T, 32], half. | rows 1..64 |",
			"aclrtLaunchKernelWithConfig(function, 8,"},
	} {
		for _, want := range wants {
			if !strings.Contains(all[path], want) {
				t.Errorf("%s lacks %q:\n%s", path, want, all[path])
			}
		}
	}
	if len(all) != 11 {
		t.Errorf("%d files", len(all))
	}
}

func TestProjectIsTheSameInAnyOrder(t *testing.T) {
	c := chip(t, "300i-duo")
	a, b := scale(t, "a", c), scale(t, "b", c)
	first, second := project(t, c, a, b), project(t, c, b, a)
	for path, data := range first {
		if second[path] != data {
			t.Errorf("%s depends on the order of the kernels", path)
		}
	}
}

func TestProjectRefuses(t *testing.T) {
	c, other := chip(t, "300i-duo"), chip(t, "800i-a2")
	for want, programs := range map[string][]*device.Program{
		"two kernels are called a":                                 {scale(t, "a", c), scale(t, "a", c)},
		"kernel b is for Ascend910B4, the project for Ascend310P3": {scale(t, "b", other)},
	} {
		if _, err := Project(c, programs); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The host program compiles, against a stand-in for AscendCL, loads the binary, launches every kernel
// with its arguments one by one, and says which failed.
func TestHostProgramLaunchesEveryKernel(t *testing.T) {
	compiler, err := exec.LookPath("g++")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no g++")
		}
		t.Skip("SKIPPED: no g++ to compile the host program with")
	}
	c := chip(t, "300i-duo")
	dir := t.TempDir()
	for path, data := range project(t, c, scale(t, "a", c), scale(t, "broken", c)) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "smoke")
	out, err := exec.Command(compiler, "-std=c++17", "-Wall", "-Werror", "-Itestdata",
		"-I"+filepath.Join(dir, "include"), "-o", program,
		filepath.Join(dir, "host", "smoke.cpp")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = exec.Command(program, "kernels.o").CombinedOutput()
	const launched = "on 8, 3 arguments of 8 8 4 bytes"
	want := fmt.Sprintf("load kernels.o\nlaunch a %s\n%-40s ran 0\nlaunch broken %s\n%-40s FAILED 507\n",
		launched, "a", launched, "broken")
	if string(out) != want || err == nil || err.Error() != "exit status 1" {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}
