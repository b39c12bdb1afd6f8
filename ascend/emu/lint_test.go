package emu

import (
	"strings"
	"testing"
)

func kernelText(before, body string) string {
	return "#include \"kernel_operator.h\"\n" + before +
		"\nextern \"C\" __global__ __aicore__ void k(GM_ADDR x)\n{\n" + body + "\n}\n"
}

func TestLint(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"clean",
			kernelText("constexpr int32_t N = 3;\nusing namespace AscendC;\n"+
				"class A { int32_t n_ = 0; };", ""), ""},
		{"namespace", kernelText("namespace tiles {\nconstexpr int32_t N = 3;\n}", ""), ""},
		{"header", "#include <vector>\n" + kernelText("", ""),
			"k:1: vector is not a header of the device"},
		{"virtual", kernelText("struct A { virtual void f() {} };", ""),
			"k:2: virtual: virtual functions do not exist on the device"},
		{"exception", kernelText("", "try { } catch (...) { }"),
			"k:5: try: exceptions do not exist on the device\n" +
				"k:5: catch: exceptions do not exist on the device"},
		{"allocation", kernelText("", "int32_t* p = new int32_t[3];"),
			"k:5: new: there is no allocation on the device"},
		{"double", kernelText("", "double d = 1;"), "k:5: double: the device has no double"},
		{"static", kernelText("", "static int32_t n = 1;"),
			"k:5: static: static data is not allowed in a kernel"},
		{"comment", kernelText("// a virtual double", "/* static */"), ""},
		{"global", kernelText("int32_t count = 0;", ""),
			"k:2: global data is not allowed: only constexpr scalars"},
		{"global call", kernelText("int32_t count = f(1);", ""),
			"k:2: global data is not allowed: only constexpr scalars"},
		{"array", kernelText("constexpr int32_t T[3] = {1, 2, 3};", ""),
			"k:2: constant arrays are not allowed: use immediates or global memory"},
		{"recursion",
			kernelText("inline int32_t f(int32_t n)\n{\n    return n < 1 ? 1 : f(n - 1);\n}", ""),
			"k:2: f can call itself: there is no recursion on the device"},
		{"mutual recursion",
			kernelText("inline int32_t g(int32_t n);\ninline int32_t f(int32_t n) { return g(n); }\n"+
				"inline int32_t g(int32_t n) { return f(n); }", ""),
			"k:3: f can call itself: there is no recursion on the device\n" +
				"k:4: g can call itself: there is no recursion on the device"},
		{"two kernels", kernelText("", "") + kernelText("", ""),
			`k:0: a file holds one extern "C" kernel, this one 2`},
		{"name", strings.Replace(kernelText("", ""), "void k", "void other", 1),
			"k:3: the kernel is called other, not k"},
		{"not global", strings.Replace(kernelText("", ""), "__global__ ", "", 1),
			"k:3: a kernel is declared __global__ __aicore__"},
		{"pointer", kernelText("", "int32_t v = x[3];"),
			"k:5: x points to global memory: read it through a GlobalTensor"},
		{"dereference", kernelText("", "int32_t v = *x;"),
			"k:5: x points to global memory: read it through a GlobalTensor"},
		{"cast", kernelText("", "g.SetGlobalBuffer((__gm__ half*)x, 3);"), ""},
		{"kind", kernelText("", "KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);"),
			"k:0: kernel type KERNEL_TYPE_AIV_ONLY does not exist on this chip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Lint(chipNamed(t, "Ascend310P3"), []Source{{"k", c.text}})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLintAsksForAKernelType(t *testing.T) {
	err := Lint(chipNamed(t, "Ascend910B4"), []Source{{"k", kernelText("", "")}})
	want := "k:0: a kernel for split cores must state KERNEL_TASK_TYPE_DEFAULT"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzLint(f *testing.F) {
	f.Add(kernelText("constexpr int N = 1;", "x[1] = 2;"))
	f.Add("extern \"C\" void k(")
	f.Add("/* /* \" ' # { } ; ( ) extern")
	chip := chipNamed(f, "Ascend310P3")
	f.Fuzz(func(t *testing.T, text string) {
		Lint(chip, []Source{{"k", text}})
	})
}

func FuzzWideProducts(f *testing.F) {
	f.Add("uint64_t f (uint64_t a, uint32_t b)\n  [k.cpp:4:14] s = a * b;\n")
	f.Fuzz(func(t *testing.T, dump string) {
		for _, p := range wideProducts(dump) {
			if p.Kernel == "" {
				t.Error("a problem without a kernel")
			}
		}
	})
}

func FuzzDecodeResult(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 4, 0, 0, 0, 'r', 'a', 'c', 'e'})
	f.Add([]byte{0, 0, 0, 0, 0, 1})
	lib := &Library{chip: chipNamed(f, "Ascend310P3")}
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeResult(&reader{data: b}, Launch{Kernel: "k"}, lib)
		signatures(&reader{data: b})
	})
}
