// Package bundle writes, opens and checks NAME.moge/ directories, the artefact that a compile
// leaves and the engine runs.
//
//	manifest.pb          checksummed header and a bundlepb.Manifest
//	weights/rank-NN.bin  sections of one rank, 64-byte aligned, gaps zero, mapped as they are
//	tokenizer/ …         small files listed in the manifest
//
// A Writer fills NAME.moge.partial/ chunk by chunk with a journal, so that an interrupted job
// resumes to the same bytes, and renames the whole when it is complete. A Bundle maps the
// weights and believes nothing that it has not checked.
//
// The package must not know what an op-code means (the engine checks operands), how weights are
// made, or how a command line looks.
package bundle

//go:generate go -C _gen tool buf generate ../bundlepb --template buf.gen.yaml
