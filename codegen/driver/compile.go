package driver

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"google.golang.org/protobuf/proto"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/formats/durable"
)

// tokenizerFolder holds the tokenizer's files in a bundle.
const tokenizerFolder = "tokenizer/"

// Compile writes the bundle out. Everything that can be refused is refused before the first
// byte is written; the output appears under its name when it is complete. After an error of
// the system or a cancelled context the finished part stays, for Settings.Resume.
func Compile(ctx context.Context, fsys durable.FS, m *Model, out string, s Settings) (*Summary, error) {
	defer LimitHeap(s.Execution.MaxMemory)()
	out = filepath.Clean(out) // of a resumed job, what is there may be the complete result
	if err := checkPlace(fsys, out, s.Force || s.Resume); err != nil {
		return nil, err
	}
	p, err := Prepare(ctx, m, s)
	if err != nil {
		return nil, err
	}
	if !s.Resume { // before hours of reading; a resumed job has part of it on disk
		if err := bundle.CheckSpace(fsys, out, bundle.WeightBytes(p.Plan.Manifest)); err != nil {
			return nil, err
		}
	}
	if err := m.describeSources(ctx, p.Graph, s.Execution.Workers, s.stage("hash")); err != nil {
		return nil, err
	}
	if err := describe(p.Plan.Manifest, p.Graph, p.settings); err != nil {
		return nil, err
	}
	job, err := p.job(out)
	if err != nil {
		return nil, err
	}
	casts := &castLog{Source: p.source()}
	if err := p.write(ctx, fsys, job, casts); err != nil {
		return nil, err
	}
	summary := p.Summary()
	summary.Casts = casts.list()
	return summary, nil
}

// LimitHeap makes the collector work harder as the heap nears the bound, and returns what
// undoes it. The bound counts the program's own pages too, so the heap gets less than all.
func LimitHeap(bound int64) (undo func()) {
	if bound == 0 {
		return func() {}
	}
	before := debug.SetMemoryLimit(bound / 4 * 3)
	return func() { debug.SetMemoryLimit(before) }
}

// job identifies the bundle by its whole manifest, which says by digest where the weights come
// from, what was chosen, by which version, and where every byte goes.
func (p *Prepared) job(out string) (bundle.Job, error) {
	job := bundle.Job{Out: out, Manifest: p.Plan.Manifest,
		Describe: fmt.Sprintf("%s, %s, version %s", p.Graph.Name, meta(p.Graph, configPrefix+"scheme"), codegen.Version)}
	manifest, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.Plan.Manifest)
	if err != nil {
		return job, err
	}
	hash := sha256.New()
	hash.Write(manifest)
	for _, f := range p.model.Files {
		job.Files = append(job.Files, bundle.SmallFile{Path: tokenizerFolder + f.Path, Data: f.Data})
		fmt.Fprintf(hash, "%q %d\n", f.Path, len(f.Data))
		hash.Write(f.Data)
	}
	for _, f := range p.Files {
		job.Files = append(job.Files, f)
		fmt.Fprintf(hash, "%q %d\n", f.Path, len(f.Data))
		hash.Write(f.Data)
	}
	if stats := p.statistics(); stats != nil {
		job.Files = append(job.Files, bundle.SmallFile{Path: StatsFile, Data: stats})
		hash.Write(stats)
	}
	job.Key = [32]byte(hash.Sum(nil))
	return job, nil
}

func (p *Prepared) write(ctx context.Context, fsys durable.FS, job bundle.Job, casts *castLog) error {
	s := p.settings
	w, err := bundle.Create(ctx, fsys, job, bundle.Options{Resume: s.Resume, Force: s.Force,
		SyncBytes: s.syncBytes})
	if err != nil {
		return err
	}
	e := s.Execution
	e.Progress = s.stage("write")
	if err := codegen.Execute(ctx, p.Plan, casts, w, e); err != nil {
		return joinKeep(err, w)
	}
	if err := w.Finish(); err != nil {
		return joinKeep(err, w)
	}
	return nil
}

// joinKeep ends a failed writing: a defect of the input will be there next time too, so what
// was written goes; anything else can be resumed.
func joinKeep(err error, w *bundle.Writer) error {
	if isInputDefect(err) {
		_ = w.Abort() // the defect is what the user must hear of
		return err
	}
	_ = w.Suspend()
	return err
}
