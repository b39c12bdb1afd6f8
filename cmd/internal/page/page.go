package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"moge/cmd/internal/units"
	"moge/codegen/balance"
	"moge/codegen/report"
)

//go:embed page.tmpl
var pageText string

//go:embed style.css
var styleText string

// Bounds of lists; what is beyond is counted.
const (
	maxRows    = 400 // of a table of ops or kernels
	maxSources = 100
	maxLayers  = 96 // of the table of loads
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"bytes": bytesOr, "count": units.Count, "exact": exact, "seconds": seconds, "long": long,
	"class":   classOf,
	"percent": percent, "short": func(s string) string { return clip(s, 40) },
	"is":    func(b *bool) bool { return b != nil && *b },
	"clip":  func(n int, s string) string { return clip(s, n) },
	"site":  func(o report.Op) string { return siteOf(&o) },
	"first": func(n int, list []string) []string { return list[:min(n, len(list))] },
}).Parse(pageText))

// view is what the template shows.
type view struct {
	*report.Report
	Style      template.CSS
	Ranks      *bands
	MemoryBar  *bar
	BytesBar   *bar
	TimeBar    *bar
	Drawn      []drawn
	Scores     *histogram
	LoadMap    *heat
	PairMaps   []*heat
	LoadRows   []balance.LayerLoad
	MaxBytes   int64
	HasComm    bool
	Caches     cacheTable
	Rows       int // of tables, at most
	MaxSources int
}

// drawn is a block with its drawing.
type drawn struct {
	*report.Block
	ID    string
	Open  bool // not folded away: the layer that repeats most often, and what is no layer
	Graph *graph
	Shown []report.Op
	More  int // ops that are not shown
	Sum   report.Op
	Timed bool
}

// cacheTable is the cache by sequences and context.
type cacheTable struct {
	Contexts []int64
	Rows     []cacheRow
}

type cacheRow struct {
	Sequences int64
	Cells     []report.Cache
}

// Render makes the page. Its size is bounded, whatever the report has.
func Render(r *report.Report) ([]byte, error) {
	v := &view{Report: r, Style: template.CSS(variables() + styleText), Ranks: bandsOf(r),
		MemoryBar: memoryBar(&r.Memory), Caches: caches(r.Memory.Caches),
		Rows: maxRows, MaxSources: maxSources}
	v.BytesBar, v.TimeBar = totalBars(r)
	for i := range r.Blocks[:min(len(r.Blocks), maxBlocks)] {
		v.Drawn = append(v.Drawn, drawnOf(&r.Blocks[i], i, r.Timing))
	}
	v.open()
	for _, s := range r.Schedules {
		v.HasComm = v.HasComm || s.Total > 0
		v.MaxBytes = max(v.MaxBytes, s.Bytes)
	}
	if r.Balance != nil && r.Balance.Random != nil {
		v.Scores = histogramOf(r.Balance.Random)
	}
	if r.Load != nil {
		v.LoadMap, v.PairMaps = loadMap(r.Load), pairMaps(r.Load)
		v.LoadRows = r.Load.Layers[:min(len(r.Load.Layers), maxLayers)]
	}
	var out bytes.Buffer
	err := page.Execute(&out, v)
	return out.Bytes(), err
}

func drawnOf(b *report.Block, i int, timing *report.Source) drawn {
	id := fmt.Sprintf("block-%d", i)
	d := drawn{Block: b, ID: id, Graph: graphOf(b, id+"-graph"), Shown: b.Ops, Timed: timing != nil}
	if len(b.Ops) > maxRows {
		d.Shown, d.More = b.Ops[:maxRows], len(b.Ops)-maxRows
	}
	took := 0.0
	for _, o := range b.Ops {
		d.Sum.Weights += o.Weights
		d.Sum.Activations += o.Activations
		d.Sum.Cache += o.Cache
		if o.Seconds != nil && timing != nil && timing.OfStep {
			took += *o.Seconds
			d.Sum.Seconds = &took
		}
	}
	return d
}

// open decides which blocks are not folded away.
func (v *view) open() {
	main := -1
	for i, d := range v.Drawn {
		v.Drawn[i].Open = d.Layer < 0
		if d.Layer >= 0 && (main < 0 || d.Repeat > v.Drawn[main].Repeat) {
			main = i
		}
	}
	if main >= 0 {
		v.Drawn[main].Open = true
	}
}

// caches makes a table of the list, which has all contexts of one number of sequences after the other.
func caches(list []report.Cache) cacheTable {
	var t cacheTable
	for _, c := range list {
		if n := len(t.Rows); n == 0 || t.Rows[n-1].Sequences != c.Sequences {
			t.Rows = append(t.Rows, cacheRow{Sequences: c.Sequences})
		}
		row := &t.Rows[len(t.Rows)-1]
		row.Cells = append(row.Cells, c)
		if len(t.Rows) == 1 {
			t.Contexts = append(t.Contexts, c.Context)
		}
	}
	return t
}

// Wide is how many thousandths of the longest bar a schedule's bytes are.
func (v *view) Wide(bytes int64) int {
	if v.MaxBytes == 0 {
		return 0
	}
	return int(1000 * float64(bytes) / float64(v.MaxBytes))
}

// PartWide is the same for an op of a block.
func (d drawn) PartWide(o report.Op) int {
	most := int64(1)
	for i := range d.Shown {
		most = max(most, d.Shown[i].Bytes())
	}
	return int(1000 * float64(o.Bytes()) / float64(most))
}
