package models

import (
	"runtime"
	"testing"
	"time"
)

// TestPublishedSize builds the 72-billion model and checks the counts its authors give:
// 207 tensors a layer, 71.99 billion parameters of which 16.50 billion are active.
func TestPublishedSize(t *testing.T) {
	cfg := readConfig(t, "pangu_published")
	tensors := declaredTensors(t, cfg)
	if len(tensors.names) != 48*207+3 {
		t.Errorf("%d tensors, want 9939", len(tensors.names))
	}
	start := time.Now()
	g, report, err := Build(cfg, tensors)
	if err != nil {
		t.Fatal(err)
	}
	// A tenth of this is usual; ten seconds would mean that something is quadratic.
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("building took %v", took)
	}
	if len(report.Missing)+len(report.Unknown)+len(report.Dropped) > 0 {
		t.Errorf("the report is %+v", report)
	}
	for key, want := range map[string]string{
		"parameters_total": "71988781056", "parameters_active": "16498139136",
		"groups": "8", "experts": "64", "experts_per_token": "8", "context": "131072",
	} {
		if got, _ := g.GetMeta(key); got != want {
			t.Errorf("meta %s is %s, want %s", key, got, want)
		}
	}
	if len(g.Outputs) != 49 || g.Outputs[0].Name != "logits" || g.Outputs[48].Name != "experts.47" {
		t.Errorf("the outputs are %v", g.Outputs)
	}
}

func TestPublishedMemory(t *testing.T) {
	cfg := readConfig(t, "pangu_published")
	tensors := declaredTensors(t, cfg)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g, _, err := Build(cfg, tensors)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	// 13,000 nodes at a kilobyte each, all temporaries counted.
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("building allocates %d bytes", used)
	}
	runtime.KeepAlive(g)
}

func BenchmarkBuildPublished(b *testing.B) {
	cfg := readConfig(b, "pangu_published")
	tensors := declaredTensors(b, cfg)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Build(cfg, tensors); err != nil {
			b.Fatal(err)
		}
	}
}
