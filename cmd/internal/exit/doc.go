// Package exit maps errors to the exit codes of the programs and prints them on one line.
//
//	0    the job is done
//	1    it failed for a reason that is neither the user's nor the input's: the system, a bug
//	2    usage: a command, flag, scheme, pass or target that does not exist or does not fit
//	3    an input is invalid or corrupt, or the place for the output cannot take it
//	4    a verification or a quality gate is not met
//	5    not enough resources: disk space, memory
//	130  interrupted
//
// Table says which error is which for everything that a deployed program can meet; a program
// that links the compiler adds rows for the compiler's errors. Of several rows that match the
// first one counts, so a full disk is 5 whatever was being written to it.
//
// An output that exists, is locked, lies in no directory or may not be written is 3: another
// name is what helps. Only what more disk or memory would cure is 5.
//
// The package must not know the compiler: the deployed program is built on it too.
package exit
