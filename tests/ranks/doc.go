// Package ranks tests partitioned models: what several ranks compute together against what one
// computes alone, for every placement that is legal, on the interpreter and on the engine.
package ranks
