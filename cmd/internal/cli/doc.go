// Package cli is what the programs have in common: standard streams, flags that every command
// has, signals, and the way from an error to a message and an exit code.
//
// It must not know the compiler: the deployed program is built on it too.
package cli
