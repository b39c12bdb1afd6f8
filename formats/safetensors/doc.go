// Package safetensors reads and writes checkpoints in the safetensors format: a length, a JSON
// header and the tensors' bytes, in one file or in shards that an index names. The element types
// and header records are those of github.com/nlpodyssey/safetensors; this package adds what
// hostile or damaged files need (bounds before allocation, one reason per defect) and access to
// checkpoints larger than memory.
//
// It must not know models: which tensors a family expects, or what they mean.
package safetensors
