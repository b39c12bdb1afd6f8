// Package ratio is the arithmetic of a comparison of two programs on a machine that is not quiet:
// blocks of measurements in the order A B B A, which of them are dropped, and the median of their
// ratios with an interval. It measures nothing itself.
package ratio
