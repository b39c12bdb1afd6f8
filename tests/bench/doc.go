// Package bench holds the work that speed is measured on and what compares programs at it: the
// configurations m1.json and m2.json, make.sh that makes bundles of them, and compare.sh. RESULTS.md
// says how it is done and what came of it. The tests here run nothing for its speed.
package bench
