package cpucard

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/bundle/bundlepb"
	"moge/formats/mapped"
	"moge/runtime/card"
	"moge/runtime/cpu"
	"moge/runtime/kernels"
)

// rigOf is a launch of the kernel of a name in small.
func rigOf(t testing.TB, name string, threads int) *rig {
	t.Helper()
	for i, s := range small {
		if strings.Contains(s.spec, `"Name":"`+name+`"`) {
			return newRig(t, i, threads)
		}
	}
	t.Fatalf("no kernel %s", name)
	return nil
}

// Every tensor of every kernel is needed to its last byte, but for what pads the offsets of experts: one
// that is shorter is an error that names it.
func TestShortTensors(t *testing.T) {
	for i, s := range small {
		r := newRig(t, i, 1)
		for j, k := range r.kernel.Tensors {
			whole := r.launch.Tensors[j].Bytes
			r.launch.Tensors[j].Bytes = whole - 1
			if k.Name == "offsets" && k.Role == bundlepb.TensorRole_ROLE_IN {
				r.launch.Tensors[j].Bytes = 11
			}
			err := r.run()
			if err == nil || !strings.HasPrefix(err.Error(), "kernel k: tensor "+k.Name+" has ") {
				t.Errorf("%.40s: tensor %s of %d bytes: error %v", s.spec, k.Name, whole-1, err)
			}
			r.launch.Tensors[j].Bytes = whole
		}
	}
}

func TestLaunchesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		kernel string
		change func(r *rig)
		want   string
	}{
		{"embed", func(r *rig) { r.launch.Kernel = "none" }, "kernel none: the bundle has none of this name"},
		{"embed", func(r *rig) { r.launch.Scalars = nil },
			"kernel k: 3 tensors and 0 scalars, it takes 3 and 1"},
		{"embed", func(r *rig) { r.launch.Scalars[0] = 0 }, "kernel k: scalar tokens is 0, it takes 1 to 4"},
		{"embed", func(r *rig) { r.launch.Scalars[0] = 5 }, "kernel k: scalar tokens is 5, it takes 1 to 4"},
		{"embed", func(r *rig) { r.launch.Scalars[0] = 3 },
			"kernel k: tensor ids has 64 bytes, 24 elements of 4 bytes are needed"},
		{"take", func(r *rig) { r.launch.Scalars[1] = 10 }, "kernel k: scalar tableRows is 10, it takes 1 to 9"},
		{"embed", func(r *rig) { r.launch.Tensors[0].At += 4 },
			"kernel k: tensor ids: 64 bytes at address 516: there are 64 from address 512 on"},
		{"embed", func(r *rig) { r.launch.Tensors[1].At += 16; r.launch.Tensors[1].Bytes = 32 },
			"kernel k: tensor table: address 1040 is no multiple of 32"},
		{"embed", func(r *rig) { r.launch.Tensors[0].At = 0 },
			"kernel k: tensor ids: 64 bytes at address 0: there is no memory"},
		{"embed", func(r *rig) { r.launch.Tensors[0].Bytes = -1 },
			"kernel k: tensor ids: -1 bytes at address 512: there is no memory"},
		{"embed", func(r *rig) { r.launch.Tensors[2].At = r.fixed(64) },
			"kernel k: tensor out: 64 bytes at address 2048 cannot be written"},
		{"embed", func(r *rig) { r.launch.Tensors[2] = r.launch.Tensors[0] },
			"kernel k: tensors ids and out share memory"},
		{"rotary", func(r *rig) { r.launch.Tensors[r.place("places")] = r.launch.Tensors[r.place("q")] },
			"kernel k: tensors places and q share memory"},
		{"embed", func(r *rig) { r.put("ids", 8, 3) }, "kernel k: tensor ids: 3 in row 1 is not among 0 to 2"},
		{"embed", func(r *rig) { r.put("ids", 0, -1) }, "kernel k: tensor ids: -1 in row 0 is not among 0 to 2"},
		{"route", func(r *rig) { r.put("ids", 9, 3) }, "kernel k: tensor ids: 3 in row 1 is not among 0 to 2"},
		{"dispatch", func(r *rig) { r.put("sources", 3, 2) },
			"kernel k: tensor sources: 2 in row 3 is not among 0 to 1"},
		{"combine", func(r *rig) { r.put("places", 1, 4) },
			"kernel k: tensor places: 4 in row 0 is not among 0 to 3"},
		{"combine", func(r *rig) { r.put("picks", 8, 2) },
			"kernel k: tensor picks: 2 in row 1 is not among 0 to 1"},
		{"rotary", func(r *rig) { r.put("places", 8, 2, 0) },
			"kernel k: tensor places: 2 in row 1 is not among 0 to 1"},
		{"rotary", func(r *rig) { r.put("places", 0, 1, 256) },
			"kernel k: tensor places: 256 in row 0 is not among 0 to 255"},
		{"up", func(r *rig) { r.put("offsets", 0, 0, 2, 4) },
			"kernel k: tensor offsets: expert 1 has the rows from 2 to 4 of 3"},
		{"down", func(r *rig) { r.put("offsets", 0, 0, 2, 1) },
			"kernel k: tensor offsets: expert 1 has the rows from 2 to 1 of 3"},
		{"down", func(r *rig) { r.put("offsets", 0, -1, 2, 3) },
			"kernel k: tensor offsets: expert 0 has the rows from -1 to 2 of 3"},
		{"decode", func(r *rig) { r.put("lengths", 1, 513) },
			"kernel k: tensor lengths: 513 in row 1 is not among 0 to 512"},
		{"decode", func(r *rig) { r.put("lengths", 1, 257); r.put("pages", 8, 1, 2) },
			"kernel k: tensor pages: 2 in row 1 is not among 0 to 1"},
		{"prefill", func(r *rig) { r.launch.Scalars[1] = 511 },
			"kernel k: tensor pages: 2 in row 0 is not among 0 to 1"},
		{"prefill", func(r *rig) { r.put("pages", 0, 1, -3) },
			"kernel k: tensor pages: -3 in row 0 is not among 0 to 1"},
	} {
		r := rigOf(t, c.kernel, 1)
		c.change(r)
		if err := r.run(); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", c.kernel, err, c.want)
		}
	}
}

// fixed is memory that cannot be written.
func (r *rig) fixed(bytes int) card.Addr {
	raw := make([]byte, bytes+blockBytes)
	at, err := r.card.(card.Mapper).Map(alignedPart(raw, bytes))
	if err != nil {
		r.t.Fatal(err)
	}
	return at
}

// A page of a table that no position needs may point anywhere, and tensors may share one another's
// memory: that is for the program to know.
func TestWhatIsNotReadIsNotChecked(t *testing.T) {
	r := rigOf(t, "decode", 1)
	r.put("lengths", 0, 256, 0)
	r.put("pages", 1, 99)
	r.put("pages", 8, 99)
	if err := r.run(); err != nil {
		t.Error(err)
	}
}

// A launch of a context that has ended is its error.
func TestLaunchOfAnEndedContext(t *testing.T) {
	for _, threads := range []int{1, 3} {
		r := rigOf(t, "embed", threads)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.card.Launch(ctx, r.launch); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}

// Memory of a file that was cut short ends a launch with an error, on one worker and on several.
func TestFaults(t *testing.T) {
	spec := `{"kind":"linear","N":512,"K":512,"MaxRows":1,"Bias":false,"Quantize":false,"SwiGLU":false,` +
		`"Static":false,"Rows":0,"Tiling":{}}`
	path := filepath.Join(t.TempDir(), "weights")
	for _, threads := range []int{1, 3} {
		if err := os.WriteFile(path, make([]byte, 512*512), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := mapped.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r := &rig{t: t, kernel: described(t, spec)}
		if r.card, err = New(threads, r.kernel); err != nil {
			t.Fatal(err)
		}
		defer r.card.Close()
		r.launch = card.Launch{Kernel: "k", Scalars: []int32{1}}
		for _, k := range r.kernel.Tensors {
			bytes := map[string]int{
				"x":           512,
				"xScale":      32,
				"weightScale": 2048,
				"y":           1024,
				"weight":      512 * 512,
			}
			m := r.memory(bytes[k.Name])
			if k.Name == "weight" {
				if m.At, err = r.card.(card.Mapper).Map(file.Bytes()); err != nil {
					t.Fatal(err)
				}
			}
			r.launch.Tensors = append(r.launch.Tensors, m)
		}
		if err := r.run(); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
		if err := r.run(); !errors.Is(err, mapped.ErrFault) {
			t.Errorf("%d workers: error %v", threads, err)
		}
		var some [1]byte
		last := r.launch.Tensors[r.place("weight")].At + 512*512 - 1
		if err := r.card.Read(last, some[:]); !errors.Is(err, mapped.ErrFault) {
			t.Errorf("%d workers: read: error %v", threads, err)
		}
	}
}

// Results do not depend on workers or on the instruction set.
func TestSameBitsEverywhere(t *testing.T) {
	defer kernels.Use(kernels.Active())
	for i, s := range small {
		var first [][]byte
		for _, isa := range cpu.Available() {
			if err := kernels.Use(isa); err != nil {
				t.Fatal(err)
			}
			for _, threads := range []int{1, 3} {
				r := newRig(t, i, threads)
				r.fill(rand.New(rand.NewPCG(uint64(i), 1)))
				if err := r.run(); err != nil {
					t.Fatalf("%.40s: %v", s.spec, err)
				}
				var all [][]byte
				for _, k := range r.kernel.Tensors {
					all = append(all, r.read(k.Name))
				}
				if first == nil {
					first = all
				}
				for j := range all {
					if !bytes.Equal(all[j], first[j]) {
						t.Errorf("%.40s: tensor %s differs with %v, %d workers", s.spec, r.kernel.Tensors[j].Name,
							isa, threads)
					}
				}
			}
		}
	}
}

// fill gives all tensors numbers: halves or floats of order one, and integers that point somewhere.
func (r *rig) fill(random *rand.Rand) {
	for i, k := range r.kernel.Tensors {
		data := make([]byte, r.launch.Tensors[i].Bytes)
		switch k.Name {
		case "ids", "places", "picks", "sources", "pages":
		case "offsets":
			copy(data, []byte{0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0})
		case "lengths":
			copy(data, []byte{200, 0, 0, 0, 5, 0, 0, 0})
		case "scale",
			"xScale",
			"weightScale",
			"bias",
			"rope",
			"parts",
			"maxima",
			"logits",
			"weights",
			"fixedScale":
			values := kernels.Float32s(data)
			for j := range values {
				values[j] = float32(random.NormFloat64())
			}
		default:
			for j := 0; j < len(data); j += 2 {
				copy(data[j:], halves(float32(random.NormFloat64())))
			}
		}
		if err := r.card.Write(r.launch.Tensors[i].At, data); err != nil {
			r.t.Fatal(err)
		}
	}
}
