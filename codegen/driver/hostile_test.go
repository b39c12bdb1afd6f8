package driver

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"moge/ir"
	"moge/ir/dtype"
)

// tokenPattern cuts the text of a graph into words, numbers and signs.
var tokenPattern = regexp.MustCompile(`"[^"]*"|[A-Za-z_0-9.+]+|[^A-Za-z_0-9]`)

// mutate replaces a few tokens of a graph's text by others of it, or by hostile numbers.
func mutate(r *rand.Rand, tokens []string) string {
	out := append([]string{}, tokens...)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(out))
		switch r.IntN(4) {
		case 0:
			out[at] = []string{"0", "-1", "1", "9223372036854775807", "4611686018427387904", "1e38", "T", "L",
				"TPad"}[r.IntN(9)]
		default:
			out[at] = tokens[r.IntN(len(tokens))]
		}
	}
	return strings.Join(out, "")
}

// A graph that somebody changed is refused or planned for, never a crash: what the graph's
// own verifier accepts, passes and planning must survive.
func TestMutatedGraphsAreRefusedOrPlanned(t *testing.T) {
	m := openModel(t, quantizedCopy(t, "w8a8-dynamic"))
	text, err := os.ReadFile(filepath.Join(m.Dir, GraphFile))
	if err != nil {
		t.Fatal(err)
	}
	checkMutations(t, m, string(text), 300, 1)
}

func checkMutations(t *testing.T, m *Model, text string, rounds int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	tokens := tokenPattern.FindAllString(text, -1)
	refused, planned := 0, 0
	for range rounds * 20 {
		changed := mutate(r, tokens)
		g, err := ir.Parse(GraphFile, changed)
		if err != nil {
			refused++
			continue
		}
		if planned++; planned > rounds {
			break
		}
		hostile := *m
		hostile.Graph = g
		s := Settings{Target: "cpu"}
		s.Passes.KV = dtype.F16
		if p, err := Prepare(context.Background(), &hostile, s); err == nil {
			if _, err := p.job("out/m.moge"); err != nil {
				t.Errorf("the plan cannot be written: %v", err)
			}
		}
	}
	if planned < rounds/4 || refused == 0 {
		t.Errorf("%d graphs refused and %d planned: the mutations say little", refused, planned)
	}
}
