package models

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moge/formats/hf"
	"moge/formats/safetensors"
	"moge/ir"
)

var bless = flag.Bool("bless", false, "write the golden graphs instead of comparing them")

const testdata = "../../tests/testdata"

// fixtures are the checkpoints with golden values, by folder.
var fixtures = []string{"tiny-moge", "families/pangu_pro_moe", "families/qwen3_moe",
	"families/mixtral", "families/llama", "families/qwen3"}

func TestFixturesBuild(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(testdata, name)
			cfg, err := hf.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			c, err := safetensors.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			g, report, err := Build(cfg, FromCheckpoint(c))
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Missing)+len(report.Unknown)+len(report.Dropped) > 0 {
				t.Errorf("the report is %+v", report)
			}
			checkGraph(t, g)
		})
	}
}

// checkGraph checks what holds for the graph of every family.
func checkGraph(t *testing.T, g *ir.Graph) {
	t.Helper()
	if err := ir.Verify(g); err != nil {
		t.Error(err)
	}
	uses := g.Uses()
	for _, n := range g.Nodes {
		if n.Op.Fused() {
			t.Errorf("%s is a fused op", ir.Format(n))
		}
		if n.Site == "" && n.Op != ir.OpInput && n.Op != ir.OpWeight && n.Op != ir.OpState {
			t.Errorf("%s has no site", ir.Format(n))
		}
		for _, r := range n.Results {
			if uses[r.ID] == 0 {
				t.Errorf("nothing uses the result of %s", ir.Format(n))
			}
		}
	}
	text := g.String()
	again, err := ir.Parse("graph", text)
	if err != nil {
		t.Fatal(err)
	}
	if again.String() != text {
		t.Error("printing what was parsed gives another text")
	}
}

// goldenConfigs are the smallest configs that show what is a family's own.
var goldenConfigs = []string{"pangu_pro_moe", "pangu_dense_layer", "qwen3_moe", "mixtral", "llama",
	"llama_tied", "qwen3"}

func TestGoldenGraphs(t *testing.T) {
	for _, name := range goldenConfigs {
		t.Run(name, func(t *testing.T) {
			g, _, err := Build(readConfig(t, name), declaredTensors(t, readConfig(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			checkGraph(t, g)
			compareGolden(t, filepath.Join("testdata", name+".ir"), g.String())
		})
	}
}

func readConfig(t testing.TB, name string) *hf.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t testing.TB, text string) *hf.Config {
	t.Helper()
	cfg, err := hf.ParseConfig("config.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *bless {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("%s:%d:\n got %s\nwant %s", path, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s: got %d lines, want %d", path, len(gotLines), len(wantLines))
}
