package host

import (
	"fmt"
	"strings"

	"moge/ascend/kernel/device"
)

// arguments declares, for each kernel, the struct that a launch passes: device pointers, then
// 32-bit integers, each naturally aligned, in the order of the kernel's own parameters.
func arguments(programs []*device.Program) []byte {
	var b strings.Builder
	b.WriteString(
		`// Launch arguments of the kernels: fill the struct and hand it to Launch of launch.h.
// Pointers are addresses in device memory. Every tensor needs 32 bytes of slack behind its end.
#pragma once

#include <cstdint>
`,
	)
	for _, p := range programs {
		fmt.Fprintf(&b, "\n// %s\nstruct %s_arguments {\n", p.Doc, p.Name)
		for _, g := range p.Globals {
			fmt.Fprintf(&b, "    void *%s; // %s, %s\n", g.Name, g.Role, g.Elem)
		}
		for _, v := range p.Params {
			lo, hi := v.Int().Range()
			fmt.Fprintf(&b, "    int32_t %s; // %d to %d\n", v.Name, lo, hi)
		}
		if len(p.Params)%2 == 1 {
			b.WriteString("    int32_t pad; // the struct ends on 8 bytes\n")
		}
		b.WriteString("};\n")
		fmt.Fprintf(&b, "static_assert(sizeof(%s_arguments) == %d, \"packed as the launch expects\");\n",
			p.Name, ArgumentBytes(p))
	}
	return []byte(b.String())
}

// ArgumentBytes is the size of the launch arguments of a kernel.
func ArgumentBytes(p *device.Program) int {
	return 8*len(p.Globals) + (4*len(p.Params)+7)/8*8
}
