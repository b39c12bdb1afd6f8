// Package eval measures models: perplexity on a text, and how far a quantized model is from
// the one it was made of.
//
// Results depend on bundle and text alone, bit for bit: not on threads, nor on how windows
// are batched. The package must not know graphs, the compiler or devices.
package eval
