package gate

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"moge/ascend/kernel/device"
	"moge/ascend/kernel/lower"
	"moge/ascend/kernels"
	"moge/ascend/soc"
)

// Kernel is a kernel as it ships: the text, and the spec that says what it must compute.
type Kernel struct {
	Name string
	Text []byte
	Spec kernels.Spec

	program *device.Program // of the spec, for some chip, where it is known
}

// Emit lowers and prints the kernels of specs for a chip, in the order of the specs. The error is
// that of the first spec that has one.
func Emit(chip *soc.Chip, specs []kernels.Spec) ([]*device.Program, []Kernel, error) {
	programs, err := lowered(chip, specs)
	if err != nil {
		return nil, nil, err
	}
	ks := make([]Kernel, len(specs))
	for i, p := range programs {
		ks[i] = Kernel{p.Name, device.Print(p, device.CANN8), specs[i], p}
	}
	return programs, ks, nil
}

// lowered is the programs of specs.
func lowered(chip *soc.Chip, specs []kernels.Spec) ([]*device.Program, error) {
	programs, errs := make([]*device.Program, len(specs)), make([]error, len(specs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range specs {
		group.Go(func() error {
			programs[i], errs[i] = lowerSpec(chip, s)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return programs, nil
}

func lowerSpec(chip *soc.Chip, s kernels.Spec) (*device.Program, error) {
	k, err := s.Kernel()
	if err != nil {
		return nil, err
	}
	if k.Name != s.KernelName() {
		return nil, fmt.Errorf("kernel %s: its spec is that of %s", k.Name, s.KernelName())
	}
	return lower.Lower(k, chip)
}
