package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"moge/formats/durable"
	"moge/runtime/probe"
)

// fake is a machine that answers from lists; the last answer goes on.
type fake struct {
	busy   []float64
	steal  []uint64 // ticks stolen so far; 1000 ticks pass between two looks
	memory []float64
	looks  uint64
	err    error
}

func next[T any](list *[]T) (v T) {
	if len(*list) == 0 {
		return v
	}
	v = (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return v
}

func (f *fake) pressure() (float64, error) { return next(&f.busy), f.err }

func (f *fake) times() (probe.Times, error) {
	f.looks++
	return probe.Times{Total: 1000 * f.looks, Steal: next(&f.steal)}, nil
}

func (f *fake) probe(context.Context, time.Duration) (probe.Result, error) {
	return f.result(30e9), nil
}

func (f *fake) again(context.Context, probe.Result, time.Duration) (probe.Result, error) {
	return f.result(max(next(&f.memory), 1)), nil
}

func (f *fake) result(memory float64) (r probe.Result) {
	r.ISA, r.Memory.Rate, r.Int8.Rate = "avx512", memory, 900e9
	return r
}

// compare runs commands on a fake machine.
func compareOn(t *testing.T, f *fake, args ...string) (out, log string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	o, err := parse(
		append([]string{"-seconds", "0", "-lock", filepath.Join(t.TempDir(), "lock")}, args...),
		&stderr,
	)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	m := &meter{options: o, log: &stderr, machine: f}
	err = m.locked(context.Background(), func() error { return m.all(context.Background(), &stdout) })
	return stdout.String(), stderr.String(), err
}

func TestRowOfEachPeer(t *testing.T) {
	out, log, err := compareOn(t, &fake{}, "-name", "M1 tg128", "-pairs", "3", "-header",
		"ours 1.2: echo 30", "echo 20", "other: echo 60")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.QuoteMeta(tableHead()) +
		`\| \d{4}-\d\d-\d\d \| M1 tg128 \| ours 1\.2 \| peer 1 \| 30\.00 \| 20\.00 \| 1\.500 \| 1\.500 to 1\.500 ` +
		`\| 3 \| none \| avx512 \| 30\.0 \| 900 \|\n` +
		`\| .* \| ours 1\.2 \| other \| 30\.00 \| 60\.00 \| 0\.500 \| 0\.500 to 0\.500 \| 3 \| none .*\n`
	if !regexp.MustCompile("^" + want + "$").MatchString(out) {
		t.Errorf("got\n%s", out)
	}
	if n := strings.Count(log, " block "); n != 6 {
		t.Errorf("%d blocks:\n%s", n, log)
	}
}

// TestOrderOfABlock has the commands write down when they run.
func TestOrderOfABlock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "order")
	a, b := fmt.Sprintf("echo A >> %s; echo 1", file), fmt.Sprintf("echo B >> %s; echo 1", file)
	_, _, err := compareOn(t, &fake{}, "-pairs", "2", a, b)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = compareOn(
		t,
		&fake{},
		"-pairs",
		"1",
		"cat "+file+" | tr -d '\\n' | grep -q '^ABBAABBA' && echo 1",
		"echo 1",
	)
	if err != nil {
		t.Error(err)
	}
}

func TestBlocksAreDroppedAndCounted(t *testing.T) {
	f := &fake{steal: []uint64{0, 0, 0, 500}, // two looks a block: the second block is robbed
		memory: []float64{10e9, 10e9, 10e9, 5e9, 5e9}} // and the third one ends on another machine
	out, log, err := compareOn(t, f, "-pairs", "2", "echo 3", "echo 2")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "| 1.500 | 1.500 to 1.500 | 2 | 1 drift, 1 steal |") {
		t.Errorf("got %s", out)
	}
	for _, want := range []string{
		"block 2: 3.00 3.00 against 2.00 2.00, ratio 1.5000, drift 0.0 %, steal 50.00 % (dropped: steal)",
		"block 3: 3.00 3.00 against 2.00 2.00, ratio 1.5000, drift 50.0 %, steal 0.00 % (dropped: drift)"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in\n%s", want, log)
		}
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name, want string
		machine    fake
		args       []string
	}{
		{"words", `against peer 1: ours: it must print one number above 0, not "fast\n"`, fake{}, []string{"echo fast", "echo 1"}},
		{"two numbers", `against peer 1: peer 1: it must print one number above 0, not "1\n2\n"`, fake{},
			[]string{"echo 1", "echo 1; echo 2"}},
		{"zero", `against peer 1: ours: it must print one number above 0, not "0\n"`, fake{}, []string{"echo 0", "echo 1"}},
		{"status", "against b: b: exit status 3\nno model", fake{}, []string{"echo 1", "b: echo no model >&2; exit 3"}},
		{"never quiet", "against peer 1: of 4 blocks only 0 were kept, 2 are needed: " +
			"in 3 the probe drifted, in 1 time was stolen",
			fake{memory: []float64{1, 2, 1, 2, 1, 2}, steal: []uint64{0, 100}}, []string{"-pairs", "2", "echo 1", "echo 1"}},
		{"too short", "against peer 1: ours: it ran for 0.0 s, less than 9.0 s: let it repeat its test", fake{},
			[]string{"-seconds", "9", "echo 1", "echo 1"}},
	} {
		if _, _, err := compareOn(t, &c.machine, c.args...); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	busy := "the machine is busy: in 40.0 % of the last 10 s tasks waited for a processor, " +
		"at most 10.0 % are allowed"
	for _, c := range []struct {
		want    string
		machine fake
		args    []string
	}{
		{busy, fake{busy: []float64{0.4}}, nil},
		{busy, fake{busy: []float64{0.9, 0.4}}, []string{"-wait", "0.5"}},
		{"", fake{busy: []float64{0.4, 0}}, []string{"-wait", "5"}},
		{"", fake{busy: []float64{0.4}}, []string{"-pressure", "0.4"}},
		{"", fake{busy: []float64{0.4}, err: errors.New("no file")}, []string{"-pressure", "1"}},
		{"whether the machine is busy cannot be known (no file): -pressure 1 measures nevertheless",
			fake{err: errors.New("no file")}, nil},
	} {
		args := append(c.args, "-pairs", "1", "echo 1", "echo 1")
		_, _, err := compareOn(t, &c.machine, args...)
		var no *refusal
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &no) || err.Error() != c.want) {
			t.Errorf("%v: error %v\nwant %s", args, err, c.want)
		}
	}
}

func TestOneAtATime(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	unlock, err := durable.OS().Lock(lock)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	var out, log bytes.Buffer
	if code := run([]string{"-lock", lock, "echo 1", "echo 1"}, &out, &log); code != refused {
		t.Errorf("code %d", code)
	}
	if want := "compare: " + lock + " is locked: another comparison runs\n"; log.String() != want ||
		out.Len() > 0 {
		t.Errorf("got %s%s", out.String(), log.String())
	}
}

func TestUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"flag provided but not defined: -x":                                {"-x", "a", "b"},
		"OURS and at least one PEER are needed; see -help":                 {"echo 1"},
		"-pairs is 0, it must be at least 1":                               {"-pairs", "0", "a", "b"},
		"-most is 3, less than -pairs":                                     {"-most", "3", "a", "b"},
		"-seconds, -wait, -drift, -steal and -pressure cannot be negative": {"-drift", "-1", "a", "b"},
	} {
		var out, log bytes.Buffer
		if code := run(args, &out, &log); code != usage || log.String() != "compare: "+want+"\n" {
			t.Errorf("%v: code %d, %s", args, code, log.String())
		}
	}
}

// TestResultsHaveOurColumns keeps the table that rows are added to like the rows.
func TestResultsHaveOurColumns(t *testing.T) {
	text, err := os.ReadFile("../RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n\n"+tableHead()) {
		t.Errorf("../RESULTS.md has no table with the head\n%s", tableHead())
	}
}

func TestHelp(t *testing.T) {
	var out, log bytes.Buffer
	if code := run([]string{"-help"}, &out, &log); code != done ||
		!strings.HasPrefix(log.String(), help) ||
		!strings.Contains(log.String(), "-pairs") {
		t.Errorf("code %d, %s", code, log.String())
	}
}

func TestNamesOfCommands(t *testing.T) {
	for text, want := range map[string]command{
		"a b":                      {"x", "a b"},
		"ik_llama.cpp 1.0: run it": {"ik_llama.cpp 1.0", "run it"},
		"MOGE_CPU=avx2 moge bench": {"x", "MOGE_CPU=avx2 moge bench"},
		"sh -c 'echo a: b'":        {"x", "sh -c 'echo a: b'"},
		"curl http://x/":           {"x", "curl http://x/"},
	} {
		if got := named(text, "x"); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// TestAgainstItself is the whole thing on this machine, however busy: equal numbers give 1.
func TestAgainstItself(t *testing.T) {
	var out, log bytes.Buffer
	code := run(
		[]string{
			"-lock",
			filepath.Join(t.TempDir(), "lock"),
			"-seconds",
			"0",
			"-pairs",
			"2",
			"-pressure",
			"1",
			"-drift",
			"1",
			"-steal",
			"1",
			"-probe",
			"1ms",
			"a: echo 12.5",
			"b: echo 12.5",
		},
		&out,
		&log,
	)
	if code != done ||
		!strings.Contains(out.String(), "| a | b | 12.50 | 12.50 | 1.000 | 1.000 to 1.000 | 2 | none |") {
		t.Errorf("code %d\n%s%s", code, out.String(), log.String())
	}
}
