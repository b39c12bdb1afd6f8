// Package policy holds the tests that keep the rules of the tree which no compiler checks: who
// may import whom, what every package must document, how large things may grow, and what must
// not be left lying in a file.
//
// The rules are data at the head of each file. The tests read and parse the tree in their own
// process: the go command caches the result of a test, and it does not see what a child
// process such as go list reads. The package must not know what any package does.
package policy
