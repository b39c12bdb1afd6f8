package probe

import (
	"math"
	"os"
	"testing"
)

func TestParseTimes(t *testing.T) {
	for _, c := range []struct {
		text string
		want Times
		err  string
	}{
		{"cpu  10 1 5 100 4 0 2 8 3 0\ncpu0 1 2\n", Times{Total: 130, Steal: 8}, ""},
		{"cpu 1 1 1 1 1 1 1 9", Times{Total: 16, Steal: 9}, ""},
		{"", Times{}, "/proc/stat does not begin with the times of all processors"},
		{"cpu0 1 1 1 1 1 1 1 9", Times{}, "/proc/stat does not begin with the times of all processors"},
		{"cpu 1 2 3", Times{}, "/proc/stat does not begin with the times of all processors"},
		{"cpu 1 1 -1 1 1 1 1 9", Times{Total: 2}, `/proc/stat: time 2 is "-1"`},
	} {
		got, err := parseTimes(c.text)
		if got != c.want || message(err) != c.err {
			t.Errorf("%q: %+v, %v; want %+v, %s", c.text, got, err, c.want, c.err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestStolenSince(t *testing.T) {
	for _, c := range []struct {
		before, after Times
		want          float64
	}{
		{Times{100, 5}, Times{300, 25}, 0.1},
		{Times{100, 5}, Times{100, 5}, 0},
		{Times{100, 5}, Times{300, 4}, 0}, // the host may take time back
	} {
		if got := c.after.StolenSince(c.before); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("from %+v to %+v: %v, want %v", c.before, c.after, got, c.want)
		}
	}
}

func TestParsePressure(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
		err  string
	}{
		{"some avg10=92.50 avg60=88.96 avg300=88.04 total=11514174198\nfull avg10=0.00\n", 0.925, ""},
		{"full avg10=1.00\nsome avg10=0.00 avg60=0.00\n", 0, ""},
		{"", 0, "/proc/pressure/cpu has no line of some tasks"},
		{"some\n", 0, "/proc/pressure/cpu has no line of some tasks"},
		{"some avg60=1.00\n", 0, `/proc/pressure/cpu: "avg60=1.00" is no average of ten seconds`},
		{"some avg10=NaN\n", 0, `/proc/pressure/cpu: "avg10=NaN" is no average of ten seconds`},
		{"some avg10=101\n", 0, `/proc/pressure/cpu: "avg10=101" is no average of ten seconds`},
	} {
		got, err := parsePressure(c.text)
		if got != c.want || message(err) != c.err {
			t.Errorf("%q: %v, %v; want %v, %s", c.text, got, err, c.want, c.err)
		}
	}
}

// TestReadHere reads the real files where the system has them.
func TestReadHere(t *testing.T) {
	before, err := ReadTimes()
	if os.IsNotExist(err) {
		t.Skip("this system has no /proc/stat")
	}
	after, err2 := ReadTimes()
	if err != nil || err2 != nil || before.Total == 0 || after.Total < before.Total {
		t.Errorf("%+v %v, then %+v %v", before, err, after, err2)
	}
	if p, err := ReadPressure(); err == nil && !(p >= 0 && p <= 1) { // a kernel may leave it out
		t.Errorf("pressure %v", p)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("cpu  10 1 5 100 4 0 2 8 3 0\nsome avg10=92.50 avg60=88.96\n")
	f.Add("some avg10=\n")
	f.Add("cpu 9223372036854775807 9223372036854775807 9223372036854775807 1 1 1 1 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if times, err := parseTimes(text); err == nil {
			if s := times.StolenSince(Times{}); !(s >= 0) {
				t.Errorf("%+v: %v", times, s)
			}
		}
		if p, err := parsePressure(text); err == nil && !(p >= 0 && p <= 1) {
			t.Errorf("%q: %v", text, p)
		}
	})
}
