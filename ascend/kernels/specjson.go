package kernels

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxSpecBytes bounds the JSON of one spec; true ones take less than 1 KiB.
const maxSpecBytes = 64 << 10

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
	var s S
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&s)
	return s, err
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
	if len(data) > maxSpecBytes {
		return nil, fmt.Errorf("kernel spec: %d bytes, at most %d", len(data), maxSpecBytes)
	}
	kind, fields, err := splitKind(data)
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

// splitKind takes the kind out of the object.
func splitKind(data []byte) (kind string, fields []byte, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := uniqueKeys(d, 0); errors.Is(err, io.EOF) {
		return "", nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return "", nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", nil, errors.New("data behind the object")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return "", nil, err
	}
	if err := json.Unmarshal(members["kind"], &kind); err != nil {
		return "", nil, errors.New(`no member "kind" with a string`)
	}
	delete(members, "kind")
	fields, err = json.Marshal(members)
	return kind, fields, err
}

// uniqueKeys reads one value and refuses objects with the same key twice, letter case apart: the
// decoder would take either. Specs nest once.
func uniqueKeys(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if depth > 2 || t == json.Delim('[') {
		return errors.New("nested deeper than a spec is")
	}
	if t != json.Delim('{') {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name := strings.ToLower(fmt.Sprint(key))
		if seen[name] {
			return fmt.Errorf("member %q twice", key)
		}
		seen[name] = true
		if err := uniqueKeys(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
