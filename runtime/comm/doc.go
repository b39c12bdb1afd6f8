// Package comm is what ranks say to each other: the collective operations and their groups, and
// an exchange between the ranks of one process over slices of bytes, with the meaning of HCCL.
//
// It must not know graphs, bundles or any machine.
package comm
