package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/durable"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/models/synth"
	"moge/formats/safetensors"
	"moge/quant"
)

const (
	memoryScheme = "MOGE_TEST_MEMORY_SCHEME"
	memoryLimit  = "MOGE_TEST_MEMORY_LIMIT" // bytes instead of memoryBound
	memoryBound  = 64 << 20
)

func compileAsChild(dir string) error {
	m, err := Open(dir, false)
	if err != nil {
		return err
	}
	defer m.Close()
	scheme, err := quant.ParseScheme(os.Getenv(memoryScheme))
	if err != nil {
		return err
	}
	s := Settings{Target: "cpu"}
	s.Passes.Scheme, s.Passes.Head = scheme, scheme
	s.Execution.Workers, s.Execution.MaxMemory = 2, memoryBound
	if bound := os.Getenv(memoryLimit); bound != "" {
		if _, err := fmt.Sscan(bound, &s.Execution.MaxMemory); err != nil {
			return err
		}
	}
	if _, err := Compile(context.Background(), durable.OS(), m, dir+".moge", s); err != nil {
		return err
	}
	peak, err := peakResident()
	fmt.Println("peak", peak)
	return err
}

// holeCheckpoint writes a Llama checkpoint whose embedding is a 300 MB hole in its file.
func holeCheckpoint(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "holes")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "torch_dtype": "bfloat16", "hidden_act": "silu",
		"vocab_size": 300 << 20 / 2 / 128, "hidden_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4,
		"num_key_value_heads": 2, "intermediate_size": 256, "rms_norm_eps": 1e-5, "max_position_embeddings": 128,
	}
	data, _ := json.Marshal(config)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := hf.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	specs, err := models.Declared(cfg)
	if err != nil {
		t.Fatal(err)
	}
	writeHoles(t, filepath.Join(dir, "model.safetensors"), specs)
	return dir
}

func writeHoles(t testing.TB, path string, specs []models.TensorSpec) {
	t.Helper()
	var tensors []safetensors.Tensor
	size := int64(0)
	for _, s := range specs {
		tensors = append(tensors, safetensors.Tensor{Name: s.Name, DType: s.DType, Shape: s.Shape})
		size += s.DType.Bytes(s.Elements())
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := safetensors.NewWriter(f, tensors, nil); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(info.Size() + size); err != nil {
		t.Fatal(err)
	}
}

func TestCompilationStaysWithinItsMemory(t *testing.T) {
	wantResidentCount(t)
	dir := holeCheckpoint(t)
	for _, scheme := range []string{"none", "w8a8-dynamic"} {
		t.Run(scheme, func(t *testing.T) { checkPeak(t, dir, scheme) })
	}
}

func checkPeak(t *testing.T, dir, scheme string) {
	peak := peakOf(t, dir, scheme, memoryBound)
	t.Logf("peak %.1f MiB of %d MiB", float64(peak)/(1<<20), memoryBound>>20)
	if peak >= memoryBound {
		t.Errorf("peak resident memory is %d, the bound is %d", peak, memoryBound)
	}
}

// peakOf compiles in a process of its own under a bound and gives its peak resident memory.
func peakOf(t testing.TB, dir, scheme string, bound int64) (peak int64) {
	t.Helper()
	defer os.RemoveAll(dir + ".moge")
	out := runChild(t, "memory", dir, memoryScheme+"="+scheme, fmt.Sprintf("%s=%d", memoryLimit, bound))
	if _, err := fmt.Sscanf(strings.TrimSpace(out), "peak %d", &peak); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return peak
}

// largeFolder names a folder with 16 GB of room for BenchmarkLargeModel.
const largeFolder = "MOGE_LARGE"

// BenchmarkLargeModel compiles two layers of the published Pangu Pro MoE with random weights,
// 9 GB, under 1 GiB: MOGE_LARGE=/scratch go test ./codegen/driver -run '^$' -bench Large -benchtime 1x
func BenchmarkLargeModel(b *testing.B) {
	folder := os.Getenv(largeFolder)
	if folder == "" {
		b.Skip("SKIP: " + largeFolder + " names no folder with 16 GB of room")
	}
	dir, err := os.MkdirTemp(folder, "moge-large-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	config, err := os.ReadFile("../../formats/models/testdata/pangu_published.json")
	if err != nil {
		b.Fatal(err)
	}
	checkpoint := filepath.Join(dir, "checkpoint")
	if err := synth.Write(b.Context(), config, synth.Options{Layers: 2}, checkpoint); err != nil {
		b.Fatal(err)
	}
	const bound = 1 << 30
	for b.Loop() {
		peak := peakOf(b, checkpoint, "w8a8-dynamic", bound)
		b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		if peak >= bound {
			b.Errorf("peak resident memory is %d, the bound is %d", peak, bound)
		}
	}
}
