// Package runcmd is the command that runs a bundle: `moge run`, and all of moge-run.
//
// It must not import the compiler, so that the deployed program does not contain it.
package runcmd
