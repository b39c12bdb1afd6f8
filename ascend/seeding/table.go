package seeding

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Total is the sum of rows.
func Total(rows []Row) Row {
	all := Row{Kernel: "all"}
	for _, r := range rows {
		all.Mutants += r.Mutants
		all.Verifier += r.Verifier
		all.Emulator += r.Emulator
		all.Left = append(all.Left, r.Left...)
	}
	return all
}

// WriteTable writes a line for each kernel and their sum, then what was not caught.
func WriteTable(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KERNEL\tMUTANTS\tVERIFIER\tEMULATOR\tLEFT\tCAUGHT")
	for _, r := range append(append([]Row(nil), rows...), Total(rows)) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%.1f %%\n", r.Kernel, r.Mutants, r.Verifier, r.Emulator,
			len(r.Left), 100*float64(r.Caught())/float64(max(r.Mutants, 1)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		for _, f := range r.Left {
			if _, err := fmt.Fprintf(w, "%s: %s: %s\n", r.Kernel, f.What, f.Why); err != nil {
				return err
			}
		}
	}
	return nil
}
