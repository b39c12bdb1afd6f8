// Package hf reads the JSON files beside a checkpoint's tensors, as the transformers library
// writes them: config.json, generation_config.json and tokenizer_config.json, in the spelling of
// old and of new releases.
//
// It must not know families: what a key means beyond its name, which combinations a family
// allows, or which tensors follow from them.
package hf
