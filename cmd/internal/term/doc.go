// Package term writes what is not the result of a command to standard error: messages and
// progress, a bar on a terminal and a line now and then everywhere else.
//
// It must not know commands, models or exit codes.
package term
