// Package kernelspec reads the specification of a kernel for cards as a manifest holds it: an object of
// JSON with the kind of the kernel and the fields of that kind. Who makes kernels and who computes
// them without a card read it by the same rules.
//
// It must not know any kind.
package kernelspec
