package lower

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the tests get as what they want")

// The three forms of each example: as written, as lowered, as printed.
func TestGoldenText(t *testing.T) {
	for _, b := range []*kernel.Builder{
		scaleRows(), addNorm(), int8Linear(32, 48, 64), attend(16, 64,
			96), shareMax(), gatherRows(), topTwo(),
		quantizedLinear(16, 32, 128),
	} {
		k := build(t, b)
		p, err := Lower(k, chip310P(t))
		if err != nil {
			t.Fatal(err)
		}
		got := &txtar.Archive{Files: []txtar.File{
			{Name: "author", Data: []byte(kernel.Text(k))},
			{Name: "program", Data: []byte(device.Text(p))},
			{Name: "cpp", Data: device.Print(p, device.CANN8)},
		}}
		path := filepath.Join("testdata", k.Name+".txtar")
		if *update {
			if err := os.WriteFile(path, txtar.Format(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(txtar.Format(got), want) {
			t.Errorf("%s differs; run with -update and read the difference", path)
		}
	}
}

// Lowering twice gives the same bytes.
func TestLoweringIsDeterministic(t *testing.T) {
	first := device.Print(lowered(t, attend(16, 64, 96)), device.CANN8)
	for range 5 {
		if !bytes.Equal(device.Print(lowered(t, attend(16, 64, 96)), device.CANN8), first) {
			t.Fatal("two lowerings differ")
		}
	}
}

// Names that 9.x changed follow the release.
func TestPrintUsesTheNamesOfTheRelease(t *testing.T) {
	p := lowered(t, topTwo())
	old, recent := device.Print(p, device.CANN8), device.Print(p, device.CANN9)
	if !bytes.Contains(old, []byte("CompareScalar(")) || bytes.Contains(recent,
		[]byte("CompareScalar(")) ||
		!bytes.Contains(recent, []byte("Compares(")) {
		t.Error("the comparison with a scalar has the name of the other release")
	}
}
