package models

import (
	"testing"

	"moge/formats/hf"
	"moge/ir/dtype"
)

// fakeTensors is a checkpoint without data.
type fakeTensors struct {
	names []string
	specs map[string]TensorSpec
}

func (f *fakeTensors) Names() []string { return f.names }

func (f *fakeTensors) Lookup(name string) (dtype.Type, []int64, bool) {
	s, ok := f.specs[name]
	return s.DType, s.Shape, ok
}

func (f *fakeTensors) set(s TensorSpec) {
	if _, ok := f.specs[s.Name]; !ok {
		f.names = append(f.names, s.Name)
	}
	f.specs[s.Name] = s
}

func (f *fakeTensors) remove(name string) {
	delete(f.specs, name)
	for i, n := range f.names {
		if n == name {
			f.names = append(f.names[:i], f.names[i+1:]...)
			return
		}
	}
}

// declaredTensors is a checkpoint that holds exactly what the config declares.
func declaredTensors(t testing.TB, cfg *hf.Config) *fakeTensors {
	t.Helper()
	specs, err := Declared(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeTensors{specs: map[string]TensorSpec{}}
	for _, s := range specs {
		f.set(s)
	}
	return f
}
