package synth

import (
	"fmt"
	"strings"

	"moge/formats/hf"
	"moge/formats/safetensors"
	"moge/ir/dtype"
)

// defaultRange is the standard deviation of weights where the config has no initializer_range.
const defaultRange = 0.02

// scaleSpread is the standard deviation of norm weights and router scales about one.
const scaleSpread = 0.1

// values gives each tensor its distribution.
type values struct {
	seed   uint64
	std    float32
	tables map[kind]table
}

type kind struct {
	dtype dtype.Type
	scale bool
}

func newValues(cfg *hf.Config, seed uint64) (*values, error) {
	std := defaultRange
	if _, err := cfg.Decode("initializer_range", &std); err != nil {
		return nil, err
	}
	if !(std > 0 && std <= 10) {
		reason := fmt.Sprintf("is %v, it must be above 0 and at most 10", std)
		return nil, cfg.Problem("initializer_range", reason)
	}
	return &values{seed: seed, std: float32(std), tables: map[kind]table{}}, nil
}

// table is the distribution of a tensor: about one for what multiplies a normalised value, about
// zero for all else.
func (v *values) table(t safetensors.Tensor) table {
	scale := strings.HasSuffix(t.Name, "norm.weight") || strings.HasSuffix(t.Name, "router_scale")
	k := kind{t.DType, scale}
	made, ok := v.tables[k]
	if !ok {
		made = newTable(t.DType, 0, v.std)
		if k.scale {
			made = newTable(t.DType, 1, scaleSpread)
		}
		v.tables[k] = made
	}
	return made
}
