// Package cpudevice runs bundle programs on the processor: every step of a program becomes
// a closure over its operands when it is loaded, and a run calls them in order.
//
// A program is hostile until it is bound: element types, shapes, attributes, section layouts
// and overlaps are checked then, so that no run can leave the memory of its operands;
// indices that are data are checked when they are used.
//
// All arithmetic of a row depends on that row alone: its result is the same bit for bit
// whatever rows stand beside it, however a prompt is cut, and for any number of threads.
//
// The package must not know graphs, compilers, tokenizers or sampling.
package cpudevice
