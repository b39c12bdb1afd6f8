// Package synth writes checkpoints with random weights for any config that package models
// supports, so that speed and memory can be measured, and demonstrations run, without
// downloading a model. Bytes depend on the config, the seed and the names of the tensors alone.
//
// The package must not know families, graphs or how weights are used: what a checkpoint must
// hold is models.Declared's to say.
package synth
