// Package golden holds the tests that compare whole models, checkpoint to logits, with values
// that another implementation computed from the same files; and the tests that show those
// comparisons to be sharp: a model with one thing wrong must not pass them.
//
// It must not know how the golden values were made beyond what their files say.
package golden
