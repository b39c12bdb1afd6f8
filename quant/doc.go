// Package quant defines what quantization means, as plain Go over plain slices: the
// schemes, the encoders and decoders with their error bounds, the arithmetic of the AscendV1
// checkpoint format, what calibration measures, and which site takes which scheme.
//
// The encoders are the reference. Every kernel, on every instruction set and on the
// emulated device, must produce the same integers from the same floats, so the code here is
// sequential, has no fused multiply-add and spells every rounding out.
//
// It must not know graphs, tensors, files on disk or machines; of the project it imports
// ir/dtype only.
package quant
