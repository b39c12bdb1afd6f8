package main

import (
	"context"

	"github.com/spf13/cobra"

	"moge/ascend/emu"
	"moge/ascend/emucard"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/cmd/internal/runcmd"
	"moge/runtime/device"
)

func newRun(app *cli.App) *cobra.Command { return runcmd.New(app, "run", emulated, runcmd.Ascend) }

// emulated runs bundles for cards without one.
var emulated = runcmd.Device{
	Name: "emulated", Summary: "an emulation of the chip, for bundles made for a card", Card: true,
	Help: `A bundle that was compiled for a card runs with --device emulated: its kernels are
compiled for this machine, which takes a minute or two the first time and needs a
C++ compiler, and executed on an emulation of the chip. That tells what a card
would write, not how fast.`,
	Make: func(_ context.Context, app *cli.App) (device.Device, error) {
		if err := emu.Available(); err != nil {
			return nil, exit.With(exit.Failed, err)
		}
		app.Term.Note("the kernels are compiled for this machine, which takes a while the first time")
		return emucard.Device(), nil
	},
}
