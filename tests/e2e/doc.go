// Package e2e holds the numbers that the product promises, measured through the whole road
// from checkpoint to bundle to engine, against golden values of other implementations.
package e2e
