package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"moge/ascend/emu"
	"moge/cmd/internal/cli"
	"moge/cmd/internal/units"
	"moge/runtime/cpu"
	"moge/runtime/npu"
)

// doctorReport says what this machine can do, and what it lacks.
type doctorReport struct {
	Schema   string        `json:"schema"`
	CPU      cpuFacts      `json:"cpu"`
	Compiler compilerFacts `json:"compiler"`
	Cards    *npu.Machine  `json:"cards"`
	Usable   usableFacts   `json:"usable"`
}

type cpuFacts struct {
	Level string `json:"level"` // instruction set in use
	Cores int    `json:"cores"`
}

// usableFacts say which devices of moge run there are.
type usableFacts struct {
	CPU      bool `json:"cpu"`
	Emulated bool `json:"emulated"`
	Ascend   bool `json:"ascend"`
}

// compilerFacts are those of the C++ compiler that executes kernels of cards.
type compilerFacts struct {
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Problem string `json:"problem,omitempty"`
}

const doctorSchema = "moge.doctor/1"

const doctorLong = `Doctor looks what this machine has for each device: the processor for
bundles of the cpu, a C++ compiler to execute the kernels of bundles for cards, and
AscendCL, HCCL, driver and chips to run those. What is missing comes with what to
install. The chips are taken for a moment and given back.

The exit code is 0 wherever bundles of the cpu can be run.`

func newDoctor(app *cli.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Tell what this machine can run, and what to install for more",
		Long: doctorLong, Example: "  moge doctor\n  moge doctor --json", Args: cli.Args(),
	}
	asJSON := cli.JSONFlag(cmd, doctorSchema)
	cmd.RunE = func(*cobra.Command, []string) error {
		r, err := examine()
		if err != nil {
			return err
		}
		if *asJSON {
			return app.JSON(r)
		}
		r.print(app)
		return nil
	}
	return cmd
}

func examine() (*doctorReport, error) {
	level, err := cpu.Level()
	if err != nil {
		return nil, cli.Usage("%w", err)
	}
	r := &doctorReport{Schema: doctorSchema, CPU: cpuFacts{level.String(), runtime.NumCPU()}}
	r.Compiler.Path, r.Compiler.Version, err = emu.Compiler()
	if err != nil {
		r.Compiler.Problem = err.Error()
	}
	r.Cards = npu.Probe(nil)
	usable := r.Cards.Problem == "" && r.Cards.HCCL.Path != ""
	for _, c := range r.Cards.Chips {
		usable = usable && c.Problem == ""
	}
	r.Usable = usableFacts{true, err == nil, usable}
	return r, nil
}

func (r *doctorReport) print(app *cli.App) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(app.Out, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("cpu", "%s, %s: bundles of the cpu run here", r.CPU.Level, plural(r.CPU.Cores, "core"))
	if r.Compiler.Problem == "" {
		line("compiler", "%s, %s: kernels can be executed here, bundles for cards run with --device emulated",
			r.Compiler.Path, r.Compiler.Version)
	} else {
		line("compiler", "%s; without one compile for a card with --no-gate", r.Compiler.Problem)
	}
	line("cann", "%s", cmp.Or(r.Cards.CANN, "not found"))
	line("driver", "%s", cmp.Or(r.Cards.Driver, "not found"))
	line("ascendcl", "%s", library(r.Cards.AscendCL))
	line("hccl", "%s", library(r.Cards.HCCL))
	for _, c := range r.Cards.Chips {
		if c.Problem != "" {
			line(fmt.Sprintf("chip %d", c.Index), "%s, %s", r.Cards.Chip, c.Problem)
			continue
		}
		line(fmt.Sprintf("chip %d", c.Index), "%s, %s of %s free", r.Cards.Chip, units.Bytes(c.Free),
			units.Bytes(c.Total))
	}
	switch {
	case r.Usable.Ascend:
		line("cards", "usable")
	case r.Cards.AscendCL.Path == "" || r.Cards.HCCL.Path == "":
		line("cards", "not usable; %s", cmp.Or(r.Cards.Hint, npu.InstallHint))
	case r.Cards.Problem == "":
		line("cards", "not all usable")
	default:
		line("cards", "not usable: %s%s", r.Cards.Problem, after("; ", r.Cards.Hint))
	}
}

// after is the text behind what leads to it; nothing for none.
func after(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + text
}

func library(l npu.Library) string {
	if l.Path == "" {
		return "not found: " + strings.Join(l.Tried, "; ")
	}
	return l.Path
}
