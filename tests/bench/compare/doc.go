// Command compare measures one program against others on a machine that is not quiet: it takes a
// lock, refuses a busy machine, runs blocks in the order A B B A with a probe of the machine between
// them, drops blocks in which the machine changed, and prints a Markdown row for each peer with the
// median of the ratios and its interval. The arithmetic is package ratio's; compare.sh starts it.
package main
