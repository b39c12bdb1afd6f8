// Package exact has the elementary functions of float64 whose results are the same bits on
// every machine, which those of package math are not: some are assembly on some machines, and
// a compiler may fuse a product into the sum it meets. They are evaluated in double-double
// arithmetic and rounded once, so that a result is the float64 nearest to the true value
// except when that lies within a ten-thousandth of a unit of the middle between two; no error
// exceeds 0.5001 units in the last place.
//
// It is a leaf: it must not know element types, graphs or machines.
package exact
