package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"moge/codegen/balance"
	"moge/codegen/report"
	"moge/formats/bundle/bundlepb"
	"moge/tests/fixture"
)

// full is a report with every section: H2P with a chip, times, two schedules, a load and kernels.
func full(t testing.TB) *report.Report {
	t.Helper()
	m := fixture.H2P(4)
	m.Certificate = balance.For(m)
	timing := &report.Timing{What: "a test", OfStep: true, Of: func(o *report.Op) (float64, string, bool) {
		return 1e-6 * float64(1+o.Step%7), "mte2", true
	}}
	before := report.NewSchedule("before", []report.Collective{
		{Kind: "ALL_REDUCE", Size: 8, Stride: 1, Wire: "f16", Bytes: 1 << 22}}, 4, nil)
	r, err := report.New(m, "h2p.moge", report.Options{Timing: timing, Load: load(t),
		Schedules: []report.Schedule{before},
		Chip: &report.Chip{Name: "chip", Memory: 48 << 30, Reserve: 2 << 30, Source: "test",
			ClockHz: 1e9}})
	if err != nil {
		t.Fatal(err)
	}
	seconds := 1e-5
	r.Gate = &report.Gate{Passed: true, Seed: 1}
	r.Kernels = []report.Kernel{{Name: "add", Source: "kernels/add.cpp", Blocks: 8, Launches: 4, Cases: 3,
		Error:  0.5,
		Cycles: 10000, Seconds: &seconds}, {Name: "sub", Source: "kernels/sub.cpp", Blocks: 8}}
	r.Provenance.Sources = []report.File{{Path: "config.json", Size: 713,
		SHA256: strings.Repeat("ab", 32)}}
	r.Provenance.Config = []report.Entry{{Key: "scheme", Value: "w8a8"}}
	return r
}

// load is that of three layers, in each of which a few tokens choose one expert of each group.
func load(t testing.TB) *balance.ExpertLoad {
	t.Helper()
	l, err := balance.NewLoad(balance.Router{Experts: 64, TopK: 8, Groups: 8}, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	for layer := range 3 {
		for token := range 5 {
			var ids []int32
			for g := range 8 {
				ids = append(ids, int32(8*g+(token*(layer+1)+g)%8))
			}
			if err := l.Add(layer, ids, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l.Report()
}

func render(t testing.TB, r *report.Report) string {
	t.Helper()
	data, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// variants are pages that have little in common.
func variants(t testing.TB) map[string]string {
	t.Helper()
	one := fixture.H2P(1)
	one.Placement, one.Ranks = nil, one.Ranks[:1]
	small, err := report.New(one, "one.moge", report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dense := fixture.H2P(2)
	dense.Model.Experts, dense.Model.ExpertsPerToken, dense.Model.Groups = 0, 0, 0
	without, err := report.New(dense, "dense.moge", report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"full": render(t, full(t)), "one rank": render(t, small),
		"dense": render(t, without), "hostile": render(t, hostile(t))}
}

// evil is text that would do harm if it got anywhere unescaped, and would turn lines around.
const evil = `"'><script>alert(1)</script></style></title><img src=x onerror=y>` + "\u202e\x01{{.}}"

// hostile has that text, much longer, wherever a manifest has names.
func hostile(t testing.TB) *report.Report {
	t.Helper()
	name := strings.Repeat(evil, 14)[:1000]
	m := fixture.H2P(2)
	m.Model.Name, m.Model.Architecture, m.Model.Scheme, m.Targets = name, name, name, []string{name, name}
	m.Provenance.ToolVersion = name
	m.Provenance.Sources = []*bundlepb.File{{Path: name}}
	m.Config = []*bundlepb.KeyValue{{Key: name, Value: name}}
	for i, s := range m.Programs[0].Steps {
		s.Site = fmt.Sprintf("layers.%d.%s", i%3, name)
		if i%5 == 0 {
			s.Op, s.Variant = bundlepb.OpCode_LAUNCH, name
		}
	}
	for _, p := range m.Programs[0].Outputs {
		p.Name += name
	}
	m.Certificate = &bundlepb.Balance{Reason: name}
	r, err := report.New(m, name, report.Options{Timing: &report.Timing{What: name,
		Of: func(*report.Op) (float64, string, bool) { return 1e99, name, true }},
		Chip: &report.Chip{Name: name, Source: name}, Schedules: []report.Schedule{{Name: name,
			Layer: []report.Collective{{Kind: name, Wire: name}}, Total: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	r.Gate = &report.Gate{}
	r.Kernels = []report.Kernel{{Name: name, Source: name}}
	return r
}

// elements reads a page as XML, which is stricter than HTML.
func elements(t *testing.T, text string) []xml.StartElement {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	var list []xml.StartElement
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			list = append(list, e.Copy())
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func TestPagesAreWellFormedAndSelfContained(t *testing.T) {
	for name, text := range variants(t) {
		t.Run(name, func(t *testing.T) {
			ids := map[string]bool{}
			list := elements(t, text)
			for _, e := range list {
				if slices.Contains([]string{"script", "iframe", "object", "embed", "link", "img", "base", "form",
					"use",
					"image", "foreignObject"}, e.Name.Local) {
					t.Errorf("there is an element %s", e.Name.Local)
				}
				for _, a := range e.Attr {
					switch {
					case strings.HasPrefix(a.Name.Local, "on"), a.Name.Local == "style", a.Name.Local == "src":
						t.Errorf("%s has the attribute %s", e.Name.Local, a.Name.Local)
					case a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#"):
						t.Errorf("a reference to %s", a.Value)
					}
				}
				if id := attribute(e, "id"); id != "" && ids[id] {
					t.Errorf("id %s occurs twice", id)
				} else if id != "" {
					ids[id] = true
				}
			}
			for _, e := range list {
				refers(t, e, ids)
			}
			for _, bad := range []string{"url(", "@import", "http:", "https:", "<script", "onerror=y>", "\u202e",
				"\x01"} {
				if strings.Contains(text, bad) {
					t.Errorf("the page has %q", bad)
				}
			}
		})
	}
}

// refers checks that what an element refers to is there, and that pictures have text.
func refers(t *testing.T, e xml.StartElement, ids map[string]bool) {
	t.Helper()
	var to []string
	if href := attribute(e, "href"); href != "" {
		to = append(to, href[1:])
	}
	labels := strings.Fields(attribute(e, "aria-labelledby"))
	to = append(to, labels...)
	for _, id := range to {
		if !ids[id] {
			t.Errorf("%s refers to %s, which is not there", e.Name.Local, id)
		}
	}
	if e.Name.Local != "svg" || attribute(e, "aria-hidden") == "true" {
		return
	}
	if attribute(e, "role") != "img" || len(labels) != 2 || attribute(e, "viewBox") == "" {
		t.Errorf("a picture without role, title and description, or view: %v", e.Attr)
	}
}

func TestPagesAreBounded(t *testing.T) {
	const most = 1 << 20
	if n := len(render(t, hostile(t))); n > most {
		t.Errorf("the hostile page has %d bytes", n)
	}
	r := full(t)
	r.Kernels = slices.Repeat(r.Kernels, 5000)
	r.Blocks = slices.Repeat(r.Blocks, 1000)
	r.Blocks[1].Ops = slices.Repeat(r.Blocks[1].Ops, 1000)
	r.Provenance.Sources = slices.Repeat(r.Provenance.Sources, 5000)
	r.Load.Layers = slices.Repeat(r.Load.Layers, 500)
	r.Targets = slices.Repeat([]string{"cpu"}, 5000)
	text := render(t, r)
	if len(text) > most {
		t.Errorf("the large page has %d bytes", len(text))
	}
	for _, want := range []string{"The drawing of its 20000 operations would be too large to read.",
		"and 19600 more, which the report as JSON has.",
		"3000 runs of steps are different, the first 8 are shown"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	a, b := render(t, full(t)), render(t, full(t))
	if !bytes.Equal([]byte(a), []byte(b)) {
		t.Error("two pages of one report differ")
	}
}

func TestPageSaysWhatTheReportHas(t *testing.T) {
	words := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(render(t, full(t)), " ")
	text := strings.Join(strings.Fields(words), " ")
	for _, want := range []string{
		"attn=dp2,tp4:experts=ep4,tp2:shared=tp8:embed=tp1:head=tp8",
		"its experts compute exactly T·8/4 = 2·T.",
		"certificate in the manifest holds",
		"layers 0 to 3 ×4",
		"ALL_GATHER 4 ranks, f16, 300.0 KiB",
		"of them kept for driver and runtime (test). ",
		"Predicted time of a step, by part",
		"Times: a test.",
		"An even share is 12.5 % of tokens for each expert.",
		"Imbalance scores are of batches of 2 tokens on 4 devices.",
		"add 4 8 3 50.0 % 10 000 10 µs kernels/add.cpp",
		"sub 0 8 – – – – kernels/sub.cpp",
		"10 1.2 MiB fits 5.0 MiB fits",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestPageSaysWhatDoesNotFitOrHold(t *testing.T) {
	r := full(t)
	no := false
	for i := range r.Memory.Caches {
		r.Memory.Caches[i].Fits = &no
	}
	r.Memory.Free, r.Balance.Exact, r.Balance.Problem, r.Gate.Passed = -1, false, "it is wrong", false
	text := render(t, r)
	for _, want := range []string{"Weights and arena do not fit.", "too large",
		"Not even for every input:",
		"does not hold", "it is wrong", "Not executed"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, ">fits<") {
		t.Error("something fits")
	}
}
