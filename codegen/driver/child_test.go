package driver

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// The test binary starts itself for what needs a process of its own: memory that the kernel
// has counted from its start, and what a process is given by its environment.
const (
	childJob = "MOGE_TEST_CHILD"
	childDir = "MOGE_TEST_CHILD_DIR"
)

// children are the jobs of such processes, on a directory.
var children = map[string]func(dir string) error{
	"memory": compileAsChild, "bytes": compileForBytes, "prepare": prepareAsChild,
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childJob); name != "" {
		if err := children[name](os.Getenv(childDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runChild runs a job and gives what it printed.
func runChild(t testing.TB, name, dir string, env ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), childJob+"="+name, childDir+"="+dir), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, env, err, out)
	}
	return string(out)
}

// peakResident is the largest resident size of this process so far, mapped pages included.
func peakResident() (bytes int64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &bytes); err == nil {
			return bytes << 10, nil
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no VmHWM")
}

// wantResidentCount skips a test where the system does not count.
func wantResidentCount(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("SKIP: this system does not count resident memory in /proc/self/status")
	}
}
