package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/ascend/emu"
	"moge/ascend/emu/acl"
	"moge/cmd/internal/cli"
	"moge/runtime/npu/dl"
)

// Doctor on a machine with four chips, which the emulated libraries play, and on one whose third chip
// does not come up.
func TestDoctorWithCards(t *testing.T) {
	if err := dl.Supported(); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	machine, err := acl.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.Symlink(machine.Dir(), filepath.Join(home, "lib64")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ASCEND_HOME_PATH", home)
	for _, broken := range []bool{false, true} {
		machine.Configure(acl.Config{Devices: 4, Chip: "Ascend310P3", Memory: 1 << 30})
		want := "chip 2     Ascend310P3, 1.0 GiB of 1.0 GiB free\n"
		if broken {
			machine.Fault("aclrtSetDevice", 3, 507033)
			want = "chip 2     Ascend310P3, aclrtSetDevice failed with code 507033, the chip cannot " +
				"be set up: driver, firmware and CANN may not belong together: fault in aclrtSetDevice\n"
		}
		var out bytes.Buffer
		r, err := examine()
		if err != nil {
			t.Fatal(err)
		}
		r.print(&cli.App{Out: cli.NewOutput(&out)})
		for _, line := range []string{want, "ascendcl   " + home + "/lib64/libascendcl.so\n",
			"hccl       " + home + "/lib64/libhccl.so\n", "chip 3     Ascend310P3, 1.0 GiB of 1.0 GiB free\n"} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("no line %q in\n%s", line, out.String())
			}
		}
		if r.Usable.Ascend == broken {
			t.Errorf("usable %v", r.Usable)
		}
		if said := machine.Report(); said != "" {
			t.Error(said)
		}
	}
}
