package host

import (
	"fmt"
	"strings"

	"moge/ascend/kernel/device"
	"moge/ascend/kernel/scalar"
)

// launcher is the host program's header: it loads the binary of the kernels over AscendCL and
// launches each by a function of its own, whose argument is its struct of arguments.h.
func launcher(programs []*device.Program) []byte {
	var b strings.Builder
	b.WriteString(
		`// Launches of the kernels over AscendCL. Open loads the binary that the CMake project builds; Launch
// puts one kernel on a stream, on as many cores as the chip has. Both return what AscendCL returns.
#pragma once

#include <cstdint>

#include "acl/acl.h"
#include "arguments.h"

struct Kernels {
    aclrtBinHandle binary = nullptr;
`,
	)
	for _, p := range programs {
		fmt.Fprintf(&b, "    aclrtFuncHandle %s = nullptr;\n", p.Name)
	}
	b.WriteString(`};

inline aclError Open(Kernels &k, const char *path)
{
    aclError e = aclrtBinaryLoadFromFile(path, nullptr, &k.binary);
`)
	for _, p := range programs {
		fmt.Fprintf(&b, "    if (e == ACL_SUCCESS) e = aclrtBinaryGetFunction(k.binary, \"%s\", &k.%s);\n",
			p.Name, p.Name)
	}
	b.WriteString("    return e;\n}\n")
	b.WriteString(argumentList)
	for _, p := range programs {
		fmt.Fprintf(&b, `
// %s
inline aclError Launch(const Kernels &k, %s_arguments &a, aclrtStream stream)
{
    ArgumentList list(k.%s);
`, p.Doc, p.Name, p.Name)
		for _, g := range p.Globals {
			fmt.Fprintf(&b, "    list.Append(a.%s);\n", g.Name)
		}
		for _, v := range p.Params {
			fmt.Fprintf(&b, "    list.Append(a.%s);\n", v.Name)
		}
		fmt.Fprintf(&b, "    return list.Launch(k.%s, %d, stream);\n}\n", p.Name, p.Blocks())
	}
	return []byte(b.String())
}

// argumentList hands arguments over one by one. What aclrtLaunchKernel takes lies in device memory and
// begins with arguments of the runtime's own; here the runtime lays all of them out.
const argumentList = `
// ArgumentList is the arguments of one launch, in the order of the kernel.
struct ArgumentList {
    aclrtArgsHandle list = nullptr;
    aclError error;

    explicit ArgumentList(aclrtFuncHandle f) { error = aclrtKernelArgsInit(f, &list); }

    template <typename T> void Append(T &value)
    {
        aclrtParamHandle param = nullptr;
        if (error == ACL_SUCCESS) error = aclrtKernelArgsAppend(list, &value, sizeof(value), &param);
    }

    aclError Launch(aclrtFuncHandle f, uint32_t blocks, aclrtStream stream)
    {
        if (error == ACL_SUCCESS) error = aclrtKernelArgsFinalize(list);
        if (error != ACL_SUCCESS) return error;
        return aclrtLaunchKernelWithConfig(f, blocks, stream, nullptr, list, nullptr);
    }
};
`

// smokeHead is what does not depend on the kernels.
const smokeHead = `// Launches every kernel once, on zeros and the smallest numbers it takes, and says
// which ones the card ran. Usage: smoke BINARY, the file that the CMake project built.
#include <cstdio>
#include <initializer_list>
#include <vector>

#include "launch.h"

namespace {

// Memory is the tensors of one launch, cleared; Free ends them.
struct Memory {
    std::vector<void *> all;
    aclError error = ACL_SUCCESS;

    void *Zeros(size_t bytes)
    {
        void *at = nullptr;
        if (error == ACL_SUCCESS) error = aclrtMalloc(&at, bytes, ACL_MEM_MALLOC_NORMAL_ONLY);
        if (error == ACL_SUCCESS) all.push_back(at);
        if (error == ACL_SUCCESS) error = aclrtMemset(at, bytes, 0, bytes);
        return at;
    }

    void Free()
    {
        for (void *at : all) aclrtFree(at);
        all.clear();
    }
};

int failures = 0;

template <typename A> void Run(const char *name, const Kernels &k, Memory &m, A &a, aclrtStream stream)
{
    aclError e = m.error;
    if (e == ACL_SUCCESS) e = Launch(k, a, stream);
    if (e == ACL_SUCCESS) e = aclrtSynchronizeStream(stream);
    m.Free();
    std::printf("%-40s %s %d\n", name, e == ACL_SUCCESS ? "ran" : "FAILED", int(e));
    failures += e != ACL_SUCCESS;
}

`

// smoke is a program that launches every kernel once, at its smallest, on zeros: what a card says
// to it is the first thing to know of a new build.
func smoke(programs []*device.Program) []byte {
	var b strings.Builder
	b.WriteString(smokeHead)
	for _, p := range programs {
		b.WriteString(smallest(p))
	}
	b.WriteString(`} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
        return 2;
    }
    Kernels k;
    aclrtStream stream = nullptr;
    aclError e = aclInit(nullptr);
    if (e == ACL_SUCCESS) e = aclrtSetDevice(0);
    if (e == ACL_SUCCESS) e = aclrtCreateStream(&stream);
    if (e == ACL_SUCCESS) e = Open(k, argv[1]);
    if (e != ACL_SUCCESS) {
        std::fprintf(stderr, "%s: AscendCL says %d\n", argv[1], int(e));
        return 1;
    }
`)
	for _, p := range programs {
		fmt.Fprintf(&b, "    Run_%s(k, stream);\n", p.Name)
	}
	b.WriteString(`    aclrtDestroyStream(stream);
    aclrtResetDevice(0);
    aclFinalize();
    return failures > 0;
}
`)
	return []byte(b.String())
}

// slack is what every tensor needs behind its end.
const slack = 32

// smallest is the function that launches one kernel at the least values of its numbers.
func smallest(p *device.Program) string {
	least := func(v *scalar.Var) int64 {
		lo, _ := v.Int().Range()
		return lo
	}
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"void Run_%s(const Kernels &k, aclrtStream stream)\n{\n    Memory m;\n    %s_arguments a{};\n",
		p.Name,
		p.Name,
	)
	for _, g := range p.Globals {
		fmt.Fprintf(&b, "    a.%s = m.Zeros(%d);\n", g.Name, g.Bytes(least)+slack)
	}
	for _, v := range p.Params {
		fmt.Fprintf(&b, "    a.%s = %d;\n", v.Name, least(v))
	}
	fmt.Fprintf(&b, "    Run(\"%s\", k, m, a, stream);\n}\n\n", p.Name)
	return b.String()
}
