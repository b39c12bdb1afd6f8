package engine

import (
	"moge/formats/bundle"
	"moge/runtime/cpucard"
	"moge/runtime/cpudevice"
	"moge/runtime/device"
)

// CPU is the processor that the program runs on: bundles that were made for it run as fast as it
// can, those for cards as cpucard does.
type CPU struct{}

var _ device.Device = CPU{}

// Name is "cpu".
func (CPU) Name() string { return "cpu" }

// Load is that of the device for the kind of bundle.
func (CPU) Load(b *bundle.Bundle, program int, opt device.Options) (device.Runner, error) {
	if len(b.Manifest().Kernels) > 0 {
		return cpucard.Device{}.Load(b, program, opt)
	}
	return cpudevice.Device{}.Load(b, program, opt)
}
