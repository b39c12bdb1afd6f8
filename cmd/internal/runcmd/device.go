package runcmd

import (
	"context"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/runtime/device"
	"moge/runtime/engine"
)

// Device is what --device can name.
type Device struct {
	Name    string
	Summary string // for completion
	Card    bool   // it runs no other bundles than those for cards; else it runs any
	// Help is a paragraph of the command's help; may be empty.
	Help string
	// Make gives the device; app is for notes.
	Make func(ctx context.Context, app *cli.App) (device.Device, error)
}

// cpuDevice is what runs bundles where nothing is said.
var cpuDevice = Device{Name: "cpu", Summary: "this processor, for bundles made for cpu or for a card",
	Help: `A bundle that was compiled for a card runs on the processor as well (--device cpu),
at less speed than one that was compiled for it.`,
	Make: func(context.Context, *cli.App) (device.Device, error) { return engine.CPU{}, nil }}

func (f *flags) addDevice(cmd *cobra.Command) {
	f.device.Value = cpuDevice.Name
	var words []string
	for _, d := range f.devices {
		f.device.Words = append(f.device.Words, d.Name)
		words = append(words, cli.CompleteWord(d.Name, d.Summary))
	}
	cmd.Flags().Var(&f.device, "device", "what runs the bundle")
	cli.Complete(cmd, "device", words...)
}

// chosen is the device that --device names.
func (f *flags) chosen() Device {
	for _, d := range f.devices {
		if d.Name == f.device.Value {
			return d
		}
	}
	panic("BUG: no device " + f.device.Value)
}

// long is the help of the command.
func (f *flags) long() string {
	text := long
	for _, d := range f.devices {
		if d.Help != "" {
			text += "\n\n" + d.Help
		}
	}
	return text
}
