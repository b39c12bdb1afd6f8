package driver

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"moge/codegen/weights"
	"moge/formats/durable/faultfs"
	"moge/ir/dtype"
	"moge/passes"
)

var (
	nanBF16 = []byte{0xc0, 0x7f}
	infBF16 = []byte{0x80, 0x7f}
)

const damagedHint = ": the checkpoint is damaged; --allow-nonfinite takes it as it is"

// damaged is a checkpoint with a NaN in one tensor.
func damaged(t testing.TB, tensor string, element int64, data []byte) *Model {
	t.Helper()
	dir := familyCopy(t, "llama")
	patch(t, dir, tensor, element, data)
	return openModel(t, dir)
}

func TestNonFiniteWeightsAreNamedAndNothingIsLeft(t *testing.T) {
	for _, c := range []struct {
		tensor  string
		element int64
		data    []byte
		want    string
	}{
		{"model.embed_tokens.weight", 32767, nanBF16, "tensor model.embed_tokens.weight: element 32767 is NaN"},
		{"model.layers.1.mlp.down_proj.weight", 0, infBF16, "tensor model.layers.1.mlp.down_proj.weight: element 0 is +Inf"},
		{"model.layers.0.self_attn.k_proj.weight", 65, nanBF16, "tensor model.layers.0.self_attn.k_proj.weight: element 65 is NaN"},
		{"model.norm.weight", 63, nanBF16, "tensor model.norm.weight: element 63 is NaN"},
	} {
		m := damaged(t, c.tensor, c.element, c.data)
		for _, scheme := range []string{"none", "w8a8-dynamic"} {
			s := settingsFor(t, m, scheme, passes.Options{})
			for name, job := range jobs {
				disk := newDisk(t)
				_, err := job(context.Background(), disk, m, "out/result", s)
				wantError(t, err, c.want+damagedHint)
				var found *weights.NonFiniteError
				if !errors.As(err, &found) || found.Tensor != c.tensor || found.Element != c.element {
					t.Errorf("%s: %#v is not about element %d of %s", name, err, c.element, c.tensor)
				}
				wantNothing(t, name, disk)
			}
		}
	}
}

// jobs are what writes an output.
var jobs = map[string]func(context.Context, *faultfs.FS, *Model, string, Settings) (*Summary, error){
	"compile": func(ctx context.Context, fs *faultfs.FS, m *Model, out string, s Settings) (*Summary, error) {
		return Compile(ctx, fs, m, out, s)
	},
	"quantize": func(ctx context.Context, fs *faultfs.FS, m *Model, out string, s Settings) (*Summary, error) {
		return Quantize(ctx, fs, m, out, s)
	},
}

func wantNothing(t testing.TB, what string, disk *faultfs.FS) {
	t.Helper()
	for name := range disk.Snapshot("out") {
		t.Errorf("%s left %s behind", what, name)
	}
}

func TestAllowNonFiniteTakesThemAsTheyAre(t *testing.T) {
	m := damaged(t, "model.layers.0.mlp.up_proj.weight", 5, nanBF16)
	s := settingsFor(t, m, "none", passes.Options{})
	s.AllowNonFinite = true
	out := filepath.Join(t.TempDir(), "m.moge")
	compileTo(t, m, out, s)
	b := openBundle(t, out)
	recovered, err := SettingsOf(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifySource(context.Background(), b, m, recovered); err != nil {
		t.Errorf("verification judges what was allowed: %v", err)
	}

	s = settingsFor(t, m, "w8a16", passes.Options{})
	s.AllowNonFinite = true
	for name, job := range jobs {
		disk := newDisk(t)
		_, err := job(context.Background(), disk, m, "out/result", s)
		wantError(t, err, "tensor model.layers.0.mlp.up_proj.weight: element 5 is NaN; only finite "+
			"values can be quantized")
		wantNothing(t, name, disk)
	}
}

// Activations that overflow while calibrating are reported with their site.
func TestCalibrationOnANonFiniteModel(t *testing.T) {
	m := damaged(t, "model.layers.1.input_layernorm.weight", 3, infBF16)
	_, err := staticSettings(m, "w8a8", passes.Options{})
	want := `observe at "layers.1.self_attn.q+k+v": site layers.1.self_attn.q+k+v: activation `
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestCastsToF16AreListed(t *testing.T) {
	dir := familyCopy(t, "llama")
	patch(t, dir, "model.layers.0.mlp.up_proj.weight", 7, []byte{0x80, 0x47, 0x80, 0xc7}) // 65536, -65536
	patch(t, dir, "model.norm.weight", 1, []byte{0x00, 0x30})                             // 4.7e-10
	m := openModel(t, dir)
	s := settingsFor(t, m, "none", passes.Options{})
	s.Passes.Float = dtype.F16
	for name, job := range jobs {
		summary, err := job(context.Background(), newDisk(t), m, "out/result", s)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, c := range summary.Casts {
			list = append(list, c.Tensor+": "+c.CastReport.String())
		}
		want := "model.layers.0.mlp.up_proj.weight: 12288 values to f16: " +
			"2 overflow, 0 flush to zero, 3 subnormal, 0 non-finite\n" +
			"model.norm.weight: 64 values to f16: 0 overflow, 1 flush to zero, 0 subnormal, 0 non-finite"
		if got := strings.Join(list, "\n"); got != want {
			t.Errorf("%s lists\n%s\nwant\n%s", name, got, want)
		}
	}
}
