// Package cpucard is a card without one: the launch programs of bundles for cards run on the processor,
// without a C++ compiler. What a kernel computes it knows from the kernel's kind and specification in
// the manifest; the text of the kernel is not read.
//
// Device memory is memory of the process, and the weights are the mapped file itself, in the card's
// layout: a product brings a few rows of weights at a time into the order of package kernels. Results
// are those that the kernels' documentation asks for: integers bit for bit, each rounding to half where
// a kernel has one, sums in f32 in another order than a card's. They depend neither on the threads
// nor on the instruction set. The tilings of a specification, which say how a card cuts the work, say
// nothing here.
//
// Nothing of a launch is trusted: a tensor that is smaller than its scalars ask for, and an id, an
// offset or a page that points outside of what it counts, is an error that names kernel and tensor.
//
// It must not know how kernels are made, nor of packages that do.
package cpucard
