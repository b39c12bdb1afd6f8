// Package probe measures what a machine can do at most, to compare a program with: how fast it
// reads memory, and how many multiply-adds of int8 it does in registers. It also reads from the
// operating system what disturbs a measurement: time stolen by other virtual machines, and how
// long tasks wait for a processor.
//
// The best of many ways is taken, each for some milliseconds, so a rate is that of a moment
// without disturbance. It must not know models, bundles, or what is compared with it.
package probe
