package emu

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var wantMark = regexp.MustCompile(`// want(\??)((?: [a-z0-9-]+)+)`)

// wanted lists "line rule" of a text; alternatives (want?) are kept apart: one of them must come.
func wanted(text string) (all, either []string) {
	for i, line := range strings.Split(text, "\n") {
		m := wantMark.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		for _, rule := range strings.Fields(m[2]) {
			entry := fmt.Sprintf("%d %s", i+1, rule)
			if m[1] == "?" {
				either = append(either, entry)
			} else {
				all = append(all, entry)
			}
		}
	}
	return all, either
}

func checkFindings(t *testing.T, text string, found []Finding) {
	t.Helper()
	all, either := wanted(text)
	var got []string
	racy := strings.Contains(strings.Join(all, " "), " race")
	for _, f := range found {
		if racy && strings.HasPrefix(f.Rule, "taint-") { // what a race reads depends on the order
			continue
		}
		line := f.Line
		if strings.HasPrefix(f.Rule, "race") { // which of the two came first depends on the order
			line = max(f.Line, f.Other)
		}
		entry := fmt.Sprintf("%d %s", line, f.Rule)
		if len(either) > 0 && slices.Contains(either, entry) {
			either = nil
			continue
		}
		if !slices.Contains(got, entry) {
			got = append(got, entry)
		}
	}
	slices.Sort(got)
	slices.Sort(all)
	if !slices.Equal(got, all) || len(either) > 0 {
		t.Errorf("got %q, want %q and one of %q", got, all, either)
		for _, f := range found {
			t.Log(f)
		}
	}
}

// Every check finds what it is for, in program order and in several random orders, and nothing
// else.
func TestChecks(t *testing.T) {
	for _, chip := range []string{"310p", "910b"} {
		t.Run(chip, func(t *testing.T) {
			b := newBench(t, chip)
			kernels := append(archives(chip)[0].sources(t, chip), archives(chip)[1].sources(t, chip)...)
			for _, k := range kernels {
				t.Run(k.Name, func(t *testing.T) {
					for seed := range uint64(4) {
						l := Launch{Kernel: k.Name, Blocks: markOf(k.Text, "blocks", 1), Seed: seed,
							Args: b.args(InOut, Zeroed)}
						r, err := b.Launch(context.Background(), l)
						if err != nil {
							t.Fatal(err)
						}
						checkFindings(t, k.Text, r.Findings)
					}
				})
			}
		})
	}
}
