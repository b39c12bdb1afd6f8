// Package card runs the launch programs of bundles for cards: it checks a program, places tensors
// in device memory, keeps the pages of the cache, turns a ragged batch into what the kernels take,
// and launches them one after another. The machine itself, real or emulated, is behind the
// interface Card.
//
// It must not know how kernels are made, nor any particular machine.
package card
