package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"moge/cmd/internal/cli"
	"moge/codegen/balance"
	"moge/codegen/driver"
	"moge/formats/bundle/bundlepb"
	"moge/ir/dtype"
	"moge/quant"
)

const (
	compileSchema  = "moge.compile/1"
	quantizeSchema = "moge.quantize/1"
)

// jobReport is what compile and quantize report; sizes are bytes.
type jobReport struct {
	Schema      string     `json:"schema"`
	Output      string     `json:"output,omitempty"`
	DryRun      bool       `json:"dry_run"`
	Model       modelFacts `json:"model"`
	Linears     []tally    `json:"linears"`  // by scheme
	Sections    []tally    `json:"sections"` // by element type
	OutputBytes int64      `json:"output_bytes"`
	FreeBytes   *int64     `json:"free_bytes,omitempty"` // where the output would go
	RunTime     *runTime   `json:"run_time,omitempty"`   // of a bundle
	Memory      int64      `json:"minimum_memory_bytes"` // of compiling, one worker
	Warnings    []string   `json:"warnings"`
	Casts       []cast     `json:"casts"`
	PassTimes   []passTime `json:"pass_times,omitempty"`
	Gate        *gateFacts `json:"gate,omitempty"`  // of a bundle for a card
	Ranks       *rankFacts `json:"ranks,omitempty"` // of a bundle for several
}

// rankFacts are how a model lies over ranks.
type rankFacts struct {
	Count     int            `json:"count"`
	Placement string         `json:"placement"`
	Weights   int64          `json:"weight_bytes_each"`
	Balance   string         `json:"balance,omitempty"`
	Traffic   []trafficFacts `json:"traffic"` // of a step with one token a rank, pass by pass
}

type trafficFacts struct {
	Pass        string `json:"after"`
	Collectives int    `json:"collectives"`
	Bytes       int64  `json:"bytes_sent_each"`
}

func ranksOf(s *driver.Summary) *rankFacts {
	m := s.Manifest
	if len(m.Ranks) == 1 {
		return nil
	}
	r := &rankFacts{Count: len(m.Ranks), Placement: balance.PlacementOf(m).String(), Weights: m.Ranks[0].Size,
		Balance: m.GetCertificate().GetReason()}
	for _, t := range s.Report.Traffic {
		r.Traffic = append(r.Traffic, trafficFacts{t.Pass, t.Count, t.Bytes})
	}
	return r
}

type modelFacts struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	Scheme       string `json:"scheme"`
	Total        int64  `json:"parameters_total"`
	Active       int64  `json:"parameters_active"`
}

// runTime is what a loaded bundle needs.
type runTime struct {
	Weights     int64  `json:"weight_bytes"`
	Arena       int64  `json:"arena_bytes"`
	Cache       int64  `json:"cache_bytes"` // for max_seqs · context positions
	KV          string `json:"kv"`
	BatchTokens int64  `json:"max_batch_tokens"`
	Seqs        int64  `json:"max_seqs"`
	Context     int64  `json:"context"`
}

// tally counts things of a kind.
type tally struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	Bytes int64  `json:"bytes,omitempty"`
}

// cast is what a conversion to f16 did to a tensor.
type cast struct {
	Tensor    string `json:"tensor"`
	Overflow  int64  `json:"overflow"`
	Flush     int64  `json:"flush"`
	NonFinite int64  `json:"non_finite"`
	report    quant.CastReport
}

func (f *jobFlags) summary(schema string, m *driver.Model, s *driver.Summary) *jobReport {
	r := &jobReport{Schema: schema, Output: f.out, Memory: s.MinimumMemory, PassTimes: f.times,
		Model: factsOf(s.Manifest.Model), Linears: []tally{}, Sections: tallySections(s.Manifest),
		Warnings: orEmpty(s.Report.Warnings), Casts: []cast{}}
	if !m.Quantized { // else the linears have become other ops already
		r.Linears = tallyLinears(s)
	}
	if schema == compileSchema {
		run := runTimeOf(s)
		r.RunTime = &run
		r.Gate = gateOf(s.Manifest)
		r.Ranks = ranksOf(s)
	}
	for _, c := range s.Casts {
		r.Casts = append(r.Casts, cast{c.Tensor, c.Overflow, c.Flush, c.NonFinite, c.CastReport})
	}
	return r
}

func factsOf(m *bundlepb.Model) modelFacts {
	return modelFacts{m.Name, m.Architecture, m.Scheme, m.ParametersTotal, m.ParametersActive}
}

func runTimeOf(s *driver.Summary) runTime {
	p := s.Manifest.Programs[0]
	r := runTime{Weights: s.WeightBytes, Arena: s.ArenaBytes, Cache: s.CacheBytes,
		BatchTokens: p.Limits.MaxBatchTokens, Seqs: p.Limits.MaxSeqs, Context: p.Limits.Context}
	if len(p.States) > 0 {
		r.KV = dtype.Type(p.States[0].Dtype).String()
	}
	return r
}

func tallyLinears(s *driver.Summary) []tally {
	var list []tally
	for _, site := range s.Report.Sites {
		list = count(list, site.Scheme, 0)
	}
	return list
}

func tallySections(m *bundlepb.Manifest) []tally {
	var list []tally
	for _, s := range m.Ranks[0].Sections {
		list = count(list, dtype.Type(s.Dtype).String(), s.Size)
	}
	return list
}

// count adds one thing to the tally of its kind; kinds keep the order in which they came.
func count(list []tally, kind string, bytes int64) []tally {
	i := slices.IndexFunc(list, func(t tally) bool { return t.Kind == kind })
	if i < 0 {
		i, list = len(list), append(list, tally{Kind: kind})
	}
	list[i].Count++
	list[i].Bytes += bytes
	return list
}

// report prints what a job did, or would do.
func (f *jobFlags) report(app *cli.App, r *jobReport, asJSON bool) error {
	if !r.DryRun {
		r.OutputBytes = treeBytes(r.Output)
	}
	if asJSON {
		return app.JSON(r)
	}
	r.print(app)
	return nil
}

// treeBytes is the size of all files below dir.
func treeBytes(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n
}

func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
