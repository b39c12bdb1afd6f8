// Package emucard is a card that does not exist: the kernels of a bundle, compiled for the host
// against the emulation of the chip, behind the interface that runtime/card runs programs over.
//
// It must not know graphs, specs or how kernels were made: the bundle's files are all it has.
package emucard
