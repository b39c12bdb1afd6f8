package runcmd

import (
	"context"

	"moge/cmd/internal/cli"
	"moge/runtime/device"
	"moge/runtime/npu"
)

// Ascend runs bundles for cards on the chips of this machine.
var Ascend = Device{
	Name: npu.DeviceName, Summary: "the Ascend chips of this machine, over AscendCL and HCCL", Card: true,
	Help: `With --device ascend the bundle runs on Ascend chips, one for each of its ranks. That needs the
driver and CANN, and the kernels built from the project in the bundle: its folder
kernels/ says how. moge doctor tells what is there.`,
	Make: func(ctx context.Context, _ *cli.App) (device.Device, error) {
		return npu.Device(ctx, npu.Options{}), nil
	},
}
