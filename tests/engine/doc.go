// Package engine holds the tests of the engine from graph to logits: every op-code against
// the interpreter, whole models against golden values, and the promises that a row's result
// depends on nothing beside it and that no bundle, however damaged, brings a program down.
//
// It must not know how kernels or plans work inside.
package engine
