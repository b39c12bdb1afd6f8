package soc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCppConstantsDeclareEveryNumber: each name is declared once, and -1 stands for unknown.
func TestCppConstantsDeclareEveryNumber(t *testing.T) {
	for _, c := range Chips() {
		text := c.CppConstants()
		for _, r := range c.Rows() {
			name := " k" + camel(r.Param.String()) + " = "
			if n := strings.Count(text, name); n != 1 {
				t.Errorf("%s: %s is declared %d times", c.Name(), r.Param, n)
			}
			unknown := strings.Contains(text, name+"-1;")
			if want := !r.Fact.Known() && r.Param.Unit() != "bool"; unknown != want {
				t.Errorf("%s: %s is printed as unknown: %v, want %v", c.Name(), r.Param, unknown, want)
			}
		}
		if text != c.CppConstants() {
			t.Errorf("%s: printed twice, the text differs", c.Name())
		}
	}
}

func TestCppConstantsLines(t *testing.T) {
	text := chip(t, "Ascend310P3").CppConstants()
	for _, want := range []string{
		`inline constexpr char kSoc[] = "Ascend310P3";`,
		"inline constexpr bool kSplit = false;",
		"inline constexpr int64_t kUbUsable = 253952;  // B, headers 8.1.RC1",
		"inline constexpr int64_t kAiCores = 8;  // ini 8.1.RC1",
		"inline constexpr bool kSaturates = true;  // asc-devkit docs",
		"inline constexpr int64_t kDmaFullRate = -1;  // not found",
		`inline constexpr char kNpuArch[] = "2002";  // asc-devkit docs`,
		"  Bfloat16 = 7,",
		"  {Elem::Half, Elem::Int8, 0x3d, false},",
		"  {Elem::Int8, Elem::Int8, Elem::Int32, Elem::None, 4096},",
		`  {"VDEQ16", Elem::Int32, Elem::Half, 3},`,
		"  {Core::AICore, Pipe::MTE2, Pipe::V},",
		`  {"DataCopy", "blockCount", 1, 4095, 1},`,
		`  {"DataCopyPad", "DataCopyPad", "gm-ub", false, 0x0},`,
		`  {"CompareScalar", "Compares", "", true, 0x440},`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
}

// TestCppConstantsCompile gives the headers to a C++ compiler, with every warning an error.
func TestCppConstantsCompile(t *testing.T) {
	compiler, err := exec.LookPath("g++")
	if err != nil {
		compiler, err = exec.LookPath("clang++")
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no C++ compiler: install g++ or clang++")
		}
		t.Skip("no C++ compiler: the header is not compiled")
	}
	for _, c := range Chips() {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "soc.h"), []byte(c.CppConstants()), 0o644); err != nil {
			t.Fatal(err)
		}
		main := "#include \"soc.h\"\nstatic_assert(moge::soc::kUbUsable % 32 == 0);\n" +
			"static_assert(sizeof(moge::soc::kApis) > 0);\nint main() { return 0; }\n"
		file := filepath.Join(dir, "main.cpp")
		if err := os.WriteFile(file, []byte(main), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(compiler, "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
			"-fsyntax-only", file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c.Name(), err, out)
		}
	}
}
