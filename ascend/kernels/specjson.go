package kernels

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"moge/runtime/kernelspec"
)

// decoders read the fields of a spec, by kind.
var decoders = map[string]func([]byte) (Spec, error){
	"embed":             fieldsOf[EmbedSpec],
	"norm":              fieldsOf[NormSpec],
	"quantize":          fieldsOf[QuantizeSpec],
	"linear":            fieldsOf[LinearSpec],
	"grouped_gate_up":   fieldsOf[GroupedGateUpSpec],
	"grouped_down":      fieldsOf[GroupedDownSpec],
	"head":              fieldsOf[HeadSpec],
	"top_scan":          fieldsOf[TopScanSpec],
	"top_pick":          fieldsOf[TopPickSpec],
	"gate":              fieldsOf[GateSpec],
	"route":             fieldsOf[RouteSpec],
	"dispatch":          fieldsOf[DispatchSpec],
	"combine":           fieldsOf[CombineSpec],
	"rotary":            fieldsOf[RotarySpec],
	"attention_decode":  fieldsOf[AttentionDecodeSpec],
	"attention_prefill": fieldsOf[AttentionPrefillSpec],
}

// Kinds are the kinds of specs, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(decoders)) }

// fieldsOf decodes the fields of one kind of spec, and only these.
func fieldsOf[S Spec](data []byte) (Spec, error) {
	return kernelspec.Fields[S](data)
}

// MarshalSpec is the JSON of a spec on one line: kind first, then the fields in the order of their
// declaration, tilings included. The same spec always has the same bytes. The spec is one that a
// kernel can be made of.
func MarshalSpec(s Spec) []byte {
	fields, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("BUG: kernel %s: spec of no kernel: %v", s.KernelName(), err))
	}
	return fmt.Appendf(nil, `{"kind":%q,%s`, s.Kind(), fields[1:])
}

// UnmarshalSpec reads what MarshalSpec wrote. It refuses unknown kinds and fields, fields given
// twice, trailing data, and values that the kernel's constructor refuses, whose error it returns.
func UnmarshalSpec(data []byte) (Spec, error) {
	kind, fields, err := kernelspec.Split(data)
	if err != nil {
		return nil, fmt.Errorf("kernel spec: %w", err)
	}
	decode := decoders[kind]
	if decode == nil {
		return nil, fmt.Errorf("kernel spec: kind %q, must be one of %s", kind,
			strings.Join(Kinds(), ", "))
	}
	s, err := decode(fields)
	if err != nil {
		return nil, fmt.Errorf("kernel spec of kind %s: %w", kind, err)
	}
	if _, err := s.Kernel(); err != nil {
		return nil, err
	}
	return s, nil
}
