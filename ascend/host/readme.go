package host

import (
	"fmt"
	"strings"

	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// readme says what is here, how it is built and how a kernel is launched.
func readme(chip *soc.Chip, programs []*device.Program) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# Kernels for %s

%d kernels in Ascend C, emitted for this chip and these shapes. Every flag and barrier is in the text:
build them with the compiler's automatic synchronisation off, as the projects here do.

| folder | what |
|---|---|
| cann8 | sources and CMake project for CANN 7 and 8 |
| cann9 | the same with the names of CANN 8.3 and later |
| include/arguments.h | the struct of launch arguments of each kernel |
| include/launch.h | loads the binary and launches each kernel over AscendCL |
| host | a program that launches every kernel once, at its smallest, on zeros |

## Build

With CANN installed and its set_env.sh sourced:

    cmake -S cann8 -B build && cmake --build build      # CANN 7, 8
    cmake -S cann9 -B build && cmake --build build      # CANN 8.3 and later

## Launch

Include launch.h, call Open with the binary that was built, fill the struct of a kernel and call
Launch: it is aclrtLaunchKernelWithConfig(function, %d, stream, ...) or fewer blocks, with the list of
arguments that aclrtKernelArgsAppend makes.
Tensors lie as the head of each source says: rows start on 32 bytes and storage is allocated to 16
rows, with 32 bytes of slack behind every tensor. Tensors called syncArea must be zero before every
launch. To see what a card says to all of them:

    cmake -S host -B smoke && cmake --build smoke && smoke/smoke build/fatbin/moge_kernels/moge_kernels.o

## Kernels

| kernel | computes | run-time arguments |
|---|---|---|
`, chip.Name(), len(programs), chip.At(soc.AICores))
	for _, p := range programs {
		var params []string
		for _, v := range p.Params {
			lo, hi := v.Int().Range()
			params = append(params, fmt.Sprintf("%s %d..%d", v.Name, lo, hi))
		}
		fmt.Fprintf(
			&b,
			"| %s | %s | %s |\n",
			p.Name,
			strings.ReplaceAll(p.Doc, "|", "\\|"),
			strings.Join(params, ", "),
		)
	}
	return []byte(b.String())
}
