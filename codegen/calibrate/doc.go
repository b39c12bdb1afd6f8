// Package calibrate runs a float model over a text and measures the inputs of its linears:
// their largest magnitudes, and for experts how many tokens each one saw.
//
// The graph (with observers in it, see passes.ForCalibration) is executed node by node by
// the interpreter over many tokens at once, so a layer's weights are read once for all of
// them; linears take their weights in blocks of rows, so that no more than a block of a
// weight is in memory. Sums are made in the fixed order of runtime/kernels: the statistics
// are the same on every machine and for any number of workers.
//
// It must not know texts, tokenizers, files or what the statistics are used for.
package calibrate
