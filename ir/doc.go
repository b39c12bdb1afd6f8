// Package ir is the graph IR: one step of a language model over a ragged batch of
// tokens, the same for prefill and decode.
//
// A Graph is a list of nodes in execution order. Every node is a row of one op table
// (optable.go) applied to values; its results are new values with dense IDs. Weights
// never live in the IR: a weight is a named constant, and whatever is done to it before
// the first step (slicing, stacking, quantizing) is ordinary nodes whose arguments are
// all constant. State (the KV cache) is threaded through the graph as values, so order
// is a data dependency. SPEC.md numbers the constraints of each op.
//
// The package must not know checkpoints, passes, machines or how anything is computed;
// package ir/interp says what each op means.
package ir
