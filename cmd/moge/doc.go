// Command moge compiles language models into bundles and runs them.
//
// Every subcommand is one file that reads flags, calls the packages that do the work, and
// prints. Standard output is the result, standard error everything else. Exit codes are those
// of package moge/cmd/internal/exit, with the rows of rows.go.
//
// It must not decide anything about models or bytes: whatever a subcommand needs to know
// twice belongs into a package.
package main
