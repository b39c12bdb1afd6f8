package emu

import (
	"fmt"
	"strings"
)

// Source is one kernel: a file with one extern "C" function of the name Name.
type Source struct {
	Name string
	Text string
}

// Problem is one reason why a kernel does not compile.
type Problem struct {
	Kernel  string
	Line    int // of the kernel text, 0 when unknown
	Message string
}

// CompileError says why kernels were refused: by the rules for kernel text, or by the compiler.
type CompileError struct{ Problems []Problem }

// Error lists every problem on a line of its own.
func (e *CompileError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", p.Kernel, p.Line, p.Message))
	}
	return strings.Join(lines, "\n")
}

// task is the kind of cores a kernel runs on, as the runtime numbers them.
type task uint8

const (
	taskWhole task = iota
	taskVector
	taskCube
	taskMix11
	taskMix12
)

var tasks = map[string]task{
	"KERNEL_TYPE_AICORE":      taskWhole,
	"KERNEL_TYPE_AIV_ONLY":    taskVector,
	"KERNEL_TYPE_MIX_AIV_1_0": taskVector,
	"KERNEL_TYPE_AIC_ONLY":    taskCube,
	"KERNEL_TYPE_MIX_AIC_1_0": taskCube,
	"KERNEL_TYPE_MIX_AIC_1_1": taskMix11,
	"KERNEL_TYPE_MIX_AIC_1_2": taskMix12,
}

// taskOf reads KERNEL_TASK_TYPE_DEFAULT(type) out of the tokens of a kernel.
func taskOf(tokens []token, split bool) (task, error) {
	name := ""
	for i, t := range tokens {
		if t.text == "KERNEL_TASK_TYPE_DEFAULT" && i+2 < len(tokens) {
			name = tokens[i+2].text
		}
	}
	if name == "" && !split {
		return taskWhole, nil
	}
	if name == "" {
		return 0, fmt.Errorf("a kernel for split cores must state KERNEL_TASK_TYPE_DEFAULT")
	}
	kind, ok := tasks[name]
	if !ok || (kind == taskWhole) == split {
		return 0, fmt.Errorf("kernel type %s does not exist on this chip", name)
	}
	return kind, nil
}

// passes are the compilations a kernel needs: one for a whole core, one a kind of split core.
func (t task) passes() []int {
	switch t {
	case taskWhole:
		return []int{0}
	case taskVector:
		return []int{2}
	case taskCube:
		return []int{1}
	}
	return []int{1, 2}
}
