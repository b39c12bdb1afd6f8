package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"moge/ascend/cards"
	"moge/cmd/internal/cli"
	"moge/codegen/driver"
	"moge/ir/placement"
	"moge/passes"
)

// placementFlags choose how a model lies over several ranks.
type placementFlags struct {
	devices    int
	placement  string
	maxPadding float64
}

const placementUse = "how the model lies over the devices: h2p (attention dp, tp4; experts ep, tp2;\n" +
	"shared tp), or parts such as attn=dp2,tp4:experts=ep4,tp2:shared=tp8:embed=tp4:head=tp8"

func (f *placementFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.devices, "devices", 1, "chips, or local ranks of a CPU, to cut the model for")
	flags.StringVar(&f.placement, "placement", placement.H2PName, placementUse)
	addPadding(cmd, &f.maxPadding)
	complete(cmd, map[string][]string{"devices": {"1", "2", "4", "8"}, "placement": {placement.H2PName}})
}

// addPadding adds --max-padding, percent.
func addPadding(cmd *cobra.Command, percent *float64) {
	cmd.Flags().Float64Var(percent, "max-padding", 100*driver.MaxPadding,
		"zeros that a part may be padded with, percent of what is real")
}

func checkPadding(percent float64) error {
	if percent < 0 || percent > 1000 {
		return cli.Usage("--max-padding %v: want percent, 0 to 1000", percent)
	}
	return nil
}

// set resolves the flags into settings for a target.
func (f *placementFlags) set(cmd *cobra.Command, s *driver.Settings) error {
	if err := checkPadding(f.maxPadding); err != nil {
		return err
	}
	if f.devices == 1 && !cmd.Flags().Changed("devices") && cmd.Flags().Changed("placement") {
		return cli.Usage("--placement needs --devices, the number of chips")
	}
	p, err := placement.Parse(f.placement, f.devices)
	if err != nil {
		return cli.Usage("%v", err)
	}
	s.Passes.Placement, s.Passes.PlacementRules = p, driver.CPURules(f.maxPadding/100)
	if isCard(s.Target) {
		if s.Passes.PlacementRules, err = cards.Rules(s.Target, f.maxPadding/100); err != nil {
			return err
		}
	}
	return nil
}

// withLegal adds to the refusal of a placement which ones are legal, the first few of them.
func withLegal(m *driver.Model, err error) error {
	var illegal *placement.IllegalError
	if !errors.As(err, &illegal) {
		return err
	}
	devices := illegal.Placement.Devices
	list := placement.List(passes.PlacementModel(m.Graph), illegal.Rules, devices)
	if len(list) == 0 {
		return fmt.Errorf("%w; there is none for %d devices", err, devices)
	}
	return fmt.Errorf("%w; legal are %s: moge simulate DIR --target CARD --devices %d --sweep placement "+
		"compares those of a card", err, fewOf(list), devices)
}

// fewOf names the first few of some placements, and says how many more there are.
func fewOf(list []placement.Placement) string {
	const few = 3
	var names []string
	for _, p := range list[:min(few, len(list))] {
		names = append(names, p.String())
	}
	if more := len(list) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
