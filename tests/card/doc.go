// Package card holds tests of whole models on emitted kernels: a bundle for a card, run by the loader
// on the emulated chip, against the interpreter on the graph with the card's types.
package card
