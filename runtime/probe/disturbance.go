package probe

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Times is how the processors spent their time since the machine started, all of them together
// and in ticks of the clock.
type Times struct {
	Total uint64
	Steal uint64 // a task was ready, and the host ran another machine
}

// ReadTimes reads /proc/stat, and fails where there is none.
func ReadTimes() (Times, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Times{}, err
	}
	return parseTimes(string(text))
}

// statFields are user, nice, system, idle, iowait, irq, softirq and steal; what follows is part
// of user already. (Linux, Documentation/filesystems/proc.rst, 1.7.)
const (
	statFields = 8
	statSteal  = 7
)

func parseTimes(text string) (t Times, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 1+statFields || fields[0] != "cpu" {
		return t, errors.New("/proc/stat does not begin with the times of all processors")
	}
	for i, f := range fields[1 : 1+statFields] {
		n, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return t, fmt.Errorf("/proc/stat: time %d is %q", i, f)
		}
		t.Total += n
		if i == statSteal {
			t.Steal = n
		}
	}
	return t, nil
}

// StolenSince is the share of the time since before that was stolen, 0 to 1.
func (t Times) StolenSince(before Times) float64 {
	if t.Total <= before.Total || t.Steal < before.Steal {
		return 0
	}
	return float64(t.Steal-before.Steal) / float64(t.Total-before.Total)
}

// ReadPressure is the share of the last ten seconds in which some task waited for a processor, 0
// to 1, of /proc/pressure/cpu. It fails where there is none. (Linux,
// Documentation/accounting/psi.rst.)
func ReadPressure() (float64, error) {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0, err
	}
	return parsePressure(string(text))
}

func parsePressure(text string) (float64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "some" {
			continue
		}
		value, ok := strings.CutPrefix(fields[1], "avg10=")
		percent, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || !(percent >= 0 && percent <= 100) {
			return 0, fmt.Errorf("/proc/pressure/cpu: %q is no average of ten seconds", fields[1])
		}
		return percent / 100, nil
	}
	return 0, errors.New("/proc/pressure/cpu has no line of some tasks")
}
