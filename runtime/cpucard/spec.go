package cpucard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"moge/formats/bundle/bundlepb"
	"moge/runtime/kernelspec"
)

// computation is what a kernel computes, as its specification says.
type computation interface {
	// check finds what no kernel of the kind has.
	check(c *checker)
	// signature is what it takes. The specification has been checked.
	signature() signature
	// run computes a launch, whose tensors and scalars are those of the signature.
	run(c *call) error
}

// signature is the tensors and scalars of a kernel, in any order.
type signature struct {
	in, out, inOut []string
	unread         string // one more that is read only, and that a kernel may leave out; may be empty
	scalars        []scalar
}

// scalar is a number of a launch, with its bounds.
type scalar struct {
	name   string
	lo, hi int
}

// kinds read the fields of a specification, by kind.
var kinds = map[string]func([]byte) (computation, error){
	"embed":             fieldsOf[embed],
	"norm":              fieldsOf[norm],
	"quantize":          fieldsOf[quantize],
	"linear":            fieldsOf[linear],
	"grouped_gate_up":   fieldsOf[gateUp],
	"grouped_down":      fieldsOf[down],
	"head":              fieldsOf[head],
	"top_scan":          fieldsOf[topScan],
	"top_pick":          fieldsOf[topPick],
	"gate":              fieldsOf[gate],
	"route":             fieldsOf[route],
	"dispatch":          fieldsOf[dispatch],
	"combine":           fieldsOf[combine],
	"rotary":            fieldsOf[rotary],
	"attention_decode":  fieldsOf[decode],
	"attention_prefill": fieldsOf[prefill],
}

// Kinds are the kinds of kernels that are known, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// fieldsOf decodes the fields of a specification, and only these.
func fieldsOf[S computation](data []byte) (computation, error) {
	return kernelspec.Fields[S](data)
}

// tiling is how a card cuts the work, which is nothing to this one.
type tiling = json.RawMessage

// parse reads a specification: an object of the kind and its fields.
func parse(data []byte) (computation, error) {
	if len(data) == 0 {
		return nil, errors.New("it has no specification")
	}
	kind, fields, err := kernelspec.Split(data)
	if err != nil {
		return nil, fmt.Errorf("specification: %w", err)
	}
	read := kinds[kind]
	if read == nil {
		return nil, fmt.Errorf("kind %q is not known", kind)
	}
	s, err := read(fields)
	if err != nil {
		return nil, fmt.Errorf("kind %s: %w", kind, err)
	}
	c := &checker{}
	if s.check(c); c.err != nil {
		return nil, fmt.Errorf("kind %s: %w", kind, c.err)
	}
	return s, nil
}

// bound is a kernel of the bundle whose arguments have their places.
type bound struct {
	computes computation
	kernel   *bundlepb.Kernel
	tensors  map[string]int // those that count, by name
	scalars  map[string]int
	ranges   []scalar // by place
}

// newBound reads the specification of a kernel and holds its tensors and scalars against it.
func newBound(k *bundlepb.Kernel) (*bound, error) {
	s, err := parse(k.Spec)
	if err != nil {
		return nil, err
	}
	sig := s.signature()
	b := &bound{computes: s, kernel: k, tensors: map[string]int{}, scalars: map[string]int{},
		ranges: make([]scalar, len(k.Scalars))}
	for _, list := range []struct {
		names []string
		role  bundlepb.TensorRole
	}{{sig.in, bundlepb.TensorRole_ROLE_IN}, {sig.out, bundlepb.TensorRole_ROLE_OUT},
		{sig.inOut, bundlepb.TensorRole_ROLE_IN_OUT}} {
		for _, name := range list.names {
			if err := b.addTensor(name, list.role); err != nil {
				return nil, err
			}
		}
	}
	return b, errors.Join(b.noOthers(sig.unread), b.addScalars(sig.scalars))
}

// addTensor finds the place of a tensor.
func (b *bound) addTensor(name string, role bundlepb.TensorRole) error {
	i := slices.IndexFunc(b.kernel.Tensors, func(t *bundlepb.KernelTensor) bool { return t.Name == name })
	if i < 0 || b.kernel.Tensors[i].Role != role {
		return fmt.Errorf("it has no tensor %s of %v", name, role)
	}
	b.tensors[name] = i
	return nil
}

// noOthers finds a tensor that is neither of the kind nor memory to work in.
func (b *bound) noOthers(unread string) error {
	for _, t := range b.kernel.Tensors {
		_, known := b.tensors[t.Name]
		switch t.Role {
		case bundlepb.TensorRole_ROLE_IN:
			known = known || t.Name == unread
		case bundlepb.TensorRole_ROLE_SCRATCH, bundlepb.TensorRole_ROLE_ZEROED:
			known = true
		}
		if !known {
			return fmt.Errorf("tensor %s is not one of its kind", t.Name)
		}
	}
	return nil
}

// addScalars finds the places of the scalars, which must be all.
func (b *bound) addScalars(list []scalar) error {
	for _, s := range list {
		i := slices.Index(b.kernel.Scalars, s.name)
		if i < 0 {
			return fmt.Errorf("it has no scalar %s", s.name)
		}
		b.scalars[s.name], b.ranges[i] = i, s
	}
	if len(b.kernel.Scalars) != len(list) {
		return fmt.Errorf("it has %d scalars, %d are those of its kind", len(b.kernel.Scalars), len(list))
	}
	return nil
}
