package cpucard

import (
	"context"
	"encoding/json"
	"testing"

	"moge/runtime/card"
	"moge/runtime/kernelspec"
)

// FuzzSpec: no text ends the program, and what is accepted is again accepted.
func FuzzSpec(f *testing.F) {
	for _, s := range small {
		f.Add([]byte(s.spec))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parse(data)
		if err != nil {
			return
		}
		fields, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := kernelspec.Split(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := kinds[kind](fields)
		if err != nil {
			t.Fatal(err)
		}
		c := &checker{}
		if again.check(c); c.err != nil {
			t.Errorf("%s became %s, which is refused: %v", data, fields, c.err)
		}
	})
}

// FuzzLaunch: launches with any scalars, any content and sizes of tensors end with an error or without
// one, never the program.
func FuzzLaunch(f *testing.F) {
	for i := range small {
		f.Add(uint8(i), int32(2), int32(1), uint16(0), []byte{0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0})
		f.Add(uint8(i), int32(4), int32(0), uint16(0xffff), []byte{255, 255, 255, 127})
		f.Add(uint8(i), int32(1), int32(2), uint16(5), []byte{0, 1, 0, 0})
	}
	f.Fuzz(func(t *testing.T, at uint8, first, second int32, shared uint16, content []byte) {
		i := int(at) % len(small)
		r := newRig(t, i, 2)
		for j := range r.launch.Scalars {
			r.launch.Scalars[j] = []int32{first, second, 2}[min(j, 2)]
		}
		for j, m := range r.launch.Tensors {
			data := make([]byte, m.Bytes)
			for k := range data {
				if len(content) > 0 {
					data[k] = content[(k+j)%len(content)]
				}
			}
			if err := r.card.Write(m.At, data); err != nil {
				t.Fatal(err)
			}
		}
		for j := range r.launch.Tensors {
			m := &r.launch.Tensors[j]
			if shared>>j&1 == 1 { // two tensors in one memory
				*m = r.launch.Tensors[(j+1)%len(r.launch.Tensors)]
			}
			if len(content) > j && content[j]&64 != 0 {
				*m = card.Tensor{At: m.At + card.Addr(content[j]), Bytes: m.Bytes - int64(content[j]&31)}
			}
		}
		_ = r.card.Launch(context.Background(), r.launch)
	})
}
