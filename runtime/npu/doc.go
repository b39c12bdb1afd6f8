// Package npu is Ascend cards behind the interface that runtime/card runs programs over: AscendCL and
// HCCL, loaded at run time, one locked thread a chip.
//
// What a card runs are the kernels of a bundle, built by CANN from the project in its folder kernels;
// the file is beside the bundle, see KernelFiles. One process has all ranks, or each has a process of
// its own and a rank table.
//
// It must not know how kernels are made, nor what a program computes.
package npu
