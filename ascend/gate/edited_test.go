package gate

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/kernels"
	"moge/ascend/soc"
)

// needsCompiler skips without a C++ compiler, loudly, and fails in CI.
func needsCompiler(t testing.TB) {
	t.Helper()
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
}

func chip(t testing.TB) *soc.Chip {
	t.Helper()
	c, err := soc.Find("Ascend310P3")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// edit replaces the first line that contains old.
func edit(t *testing.T, text []byte, old, by string) []byte {
	t.Helper()
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		if strings.Contains(line, old) {
			lines[i] = strings.Replace(line, old, by, 1)
			return []byte(strings.Join(lines, ""))
		}
	}
	t.Fatalf("no %q in\n%s", old, text)
	return nil
}

// Texts that were edited after they were emitted fail, each in its own row, and what is wrong with
// one leaves the others alone.
func TestEditedTexts(t *testing.T) {
	needsCompiler(t)
	spec := kernels.NormSpec{Width: 64, MaxRows: 40, Eps: 1e-3, Half: true}
	edits := []struct{ name, old, by, want string }{
		{"whole", "", "", `^$`},
		{"wait", "WaitFlag<HardEvent::MTE2_V>(", "// (",
			`^\d+ rows: wait: block \d, line \d+.*: (race|flag-\w+): .*\[Ascend C API reference, .*\]$`},
		{"constant", "0.001f", "0.002f",
			`^17 rows: out\[3, \d+\] is [-\d.]+, want [-\d.]+ within [\d.e-]+ \(12 roundings of f32, two to half\)$`},
		{"compiler", "TPipe pipe;", "TPipe pipe",
			`^compiler:\d+: expected .*`},
		{"arguments", "int32_t rows", "int32_t rows, int32_t more",
			`^kernel arguments: takes 5 arguments, got 4$`},
	}
	var specs []kernels.Spec
	for _, e := range edits {
		spec.Name = e.name
		specs = append(specs, spec)
	}
	_, ks, err := Emit(chip(t), specs)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range edits {
		if e.old != "" {
			ks[i].Text = edit(t, ks[i].Text, e.old, e.by)
		}
	}
	r, err := Run(context.Background(), chip(t), ks, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range edits {
		row := r.Rows[i]
		if row.Passed != (e.name == "whole") || !regexp.MustCompile(e.want).MatchString(row.Reason) {
			t.Errorf("%s: passed %v, reason %q, want %s", e.name, row.Passed, row.Reason, e.want)
		}
	}
	if r.Passed() {
		t.Error("the report passes")
	}
}

func TestRunSelectsAndTraces(t *testing.T) {
	needsCompiler(t)
	specs := []kernels.Spec{
		kernels.EmbedSpec{Name: "a", Width: 16, TableRows: 9, MaxTokens: 20},
		kernels.EmbedSpec{Name: "b", Width: 16, TableRows: 9, MaxTokens: 20},
		kernels.EmbedSpec{Name: "c", Width: 16, TableRows: 9, MaxTokens: 20},
	}
	_, ks, err := Emit(chip(t), specs)
	if err != nil {
		t.Fatal(err)
	}
	var trace emu.Trace
	var seen []string
	options := Options{Only: []string{"c", "a"},
		Trace: func(kernel string, line *emu.Timeline) error {
			trace.Add(kernel, line)
			return nil
		},
		Progress: func(done, total int, row Row) {
			if done != len(seen)+1 || total != 2 {
				t.Errorf("%d of %d done after %d", done, total, len(seen))
			}
			seen = append(seen, row.Kernel)
		}}
	r, err := Run(context.Background(), chip(t), ks, options)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() || len(r.Rows) != 2 || r.Rows[0].Kernel != "a" || r.Rows[1].Kernel != "c" {
		t.Errorf("%+v", r)
	}
	var out bytes.Buffer
	if err := trace.Write(&out); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a, core 0": true, "b, core 0": false, "c, core 7": true} {
		if strings.Contains(out.String(), name) != want {
			t.Errorf("trace has %s: %v, want %v", name, !want, want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	spec := kernels.EmbedSpec{Name: "a", Width: 16, TableRows: 9, MaxTokens: 20}
	k := Kernel{Name: "a", Spec: spec}
	for _, c := range []struct {
		ks   []Kernel
		only []string
		want string
	}{
		{[]Kernel{{Name: "b", Spec: spec}}, nil, "kernel b: its spec is that of another kernel"},
		{[]Kernel{k, k}, nil, "kernel a: twice"},
		{[]Kernel{k}, []string{"x"}, "no kernel x among 1 kernels"},
	} {
		_, err := Run(context.Background(), chip(t), c.ks, Options{Only: c.only})
		if err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	needsCompiler(t)
	_, ks, err := Emit(chip(t), []kernels.Spec{
		kernels.EmbedSpec{Name: "a", Width: 16, TableRows: 9, MaxTokens: 20}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := Run(ctx, chip(t), ks, Options{}); err == nil || r != nil {
		t.Errorf("report %v, error %v", r, err)
	}
}

// The report depends on the seed, and on nothing else.
func TestReportIsTheSameAgain(t *testing.T) {
	needsCompiler(t)
	_, ks, err := Emit(chip(t), []kernels.Spec{
		kernels.NormSpec{Name: "a", Width: 32, MaxRows: 40, Eps: 1e-5, Half: true},
		kernels.NormSpec{Name: "b", Width: 64, MaxRows: 40, Eps: 1e-5, Add: true}})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, seed := range []uint64{4, 4, 5} {
		r, err := Run(context.Background(), chip(t), ks, Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		r.Seed = 0
		var b strings.Builder
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, b.String())
	}
	if texts[0] != texts[1] || texts[0] == texts[2] {
		t.Errorf("two reports of one seed, one of another:\n%s", strings.Join(texts, "\n"))
	}
}
