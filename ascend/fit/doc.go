// Package fit answers whether a model runs on a card, from shapes alone: which rules of its chip
// or of the kernels the model breaks and what can be done, what its memory holds, and how long
// sequences can be.
//
// It must not read weights, nor know files, flags or terminals. It does not prove kernels: those
// of a model that fits are executed when it is compiled.
package fit
