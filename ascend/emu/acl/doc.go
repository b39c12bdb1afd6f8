// Package acl is an emulated libascendcl.so and libhccl.so: shared libraries with the names and
// signatures of CANN's, which run the kernels of package emu on devices that do not exist. What
// drives a card runs on them unchanged, several ranks included. They follow what was taken and
// given back, refuse what a card would, and make any call fail that a test names.
//
// It must not know bundles or graphs.
package acl
