package driver

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"moge/codegen"
	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/formats/safetensors"
	"moge/ir"
)

// shardBytes is the most that one file of a quantized model holds, unless one tensor is larger.
const shardBytes = 4 << 30

// Quantize runs the passes and writes the quantized model as a directory that Compile reads:
// its graph, its tensors under the names of their sites, the configuration and the
// tokenizer. The directory appears when it is complete; until then it is OUT.partial.
func Quantize(ctx context.Context, fsys durable.FS, m *Model, out string, s Settings) (*Summary, error) {
	if m.Quantized {
		return nil, &InputError{m.Dir, "the directory is quantized already", "compile it"}
	}
	p, err := Prepare(ctx, m, s)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckSpace(fsys, filepath.Clean(out), p.Plan.Manifest.Ranks[0].Size); err != nil {
		return nil, err
	}
	if err := m.describeSources(ctx, p.Graph, s.Execution.Workers, s.stage("hash")); err != nil {
		return nil, err
	}
	summary := p.Summary()
	q := &quantizer{fs: fsys, out: filepath.Clean(out), prepared: p, casts: &castLog{Source: p.source()}}
	if err := q.run(ctx); err != nil {
		return nil, err
	}
	summary.Casts = q.casts.list()
	return summary, nil
}

type quantizer struct {
	fs       durable.FS
	out      string
	prepared *Prepared
	casts    *castLog
	done     int64
}

// run writes OUT.partial under a lock and renames it.
func (q *quantizer) run(ctx context.Context) (err error) {
	partial := q.out + ".partial"
	unlock, err := q.fs.Lock(partial + ".lock")
	if err != nil {
		return outputError(q.out, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := q.refuseExisting(); err != nil {
		return err
	}
	if err := q.fs.RemoveAll(partial); err != nil {
		return err
	}
	if err := q.fs.Mkdir(partial); err != nil {
		return outputError(q.out, err)
	}
	if err := q.fill(ctx, partial); err != nil {
		return errors.Join(err, q.fs.RemoveAll(partial))
	}
	return q.publish(partial)
}

func (q *quantizer) refuseExisting() error {
	_, err := q.fs.Stat(q.out)
	if err == nil && !q.prepared.settings.Force {
		return &InputError{q.out, "the output exists", "use another name or --force"}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// publish gives the complete directory its name; --force removes what had it.
func (q *quantizer) publish(partial string) error {
	if err := q.fs.SyncDir(partial); err != nil {
		return err
	}
	if err := q.fs.RemoveAll(q.out); err != nil {
		return err
	}
	if err := q.fs.Rename(partial, q.out); err != nil {
		return err
	}
	return q.fs.SyncDir(filepath.Dir(q.out))
}

func outputError(path string, err error) error {
	if errors.Is(err, durable.ErrLocked) {
		return &InputError{path, "another process is writing it", "wait for it or use another name"}
	}
	return &OutputError{path, err}
}

// OutputError says that an output cannot be written.
type OutputError struct {
	Path string
	Err  error
}

// Error names the path and the cause.
func (e *OutputError) Error() string { return e.Path + ": cannot be written: " + reason(e.Err) }

// Unwrap is the cause.
func (e *OutputError) Unwrap() error { return e.Err }

func (q *quantizer) fill(ctx context.Context, dir string) error {
	graph, frozen, err := codegen.Freeze(q.prepared.Graph)
	if err != nil {
		return err
	}
	if err := q.tensors(ctx, dir, frozen); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := ir.Print(&text, graph); err != nil {
		return err
	}
	if err := durable.WriteFileAtomic(q.fs, filepath.Join(dir, GraphFile), text.Bytes()); err != nil {
		return err
	}
	return q.copies(dir)
}

// copies takes along what Open reads beside tensors and graph.
func (q *quantizer) copies(dir string) error {
	for _, name := range []string{"config.json", "generation_config.json"} {
		data, err := os.ReadFile(filepath.Join(q.prepared.model.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := durable.WriteFileAtomic(q.fs, filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	if stats := q.prepared.statistics(); stats != nil {
		if err := durable.WriteFileAtomic(q.fs, filepath.Join(dir, StatsFile), stats); err != nil {
			return err
		}
	}
	for _, f := range q.prepared.model.Files {
		if err := durable.WriteFileAtomic(q.fs, filepath.Join(dir, f.Path), f.Data); err != nil {
			return err
		}
	}
	return nil
}

func (q *quantizer) tensors(ctx context.Context, dir string, frozen []codegen.Frozen) error {
	tensors := make([]safetensors.Tensor, len(frozen))
	values := make(map[string]*ir.Value, len(frozen))
	for i, f := range frozen {
		tensors[i] = safetensors.Tensor{Name: f.Name, DType: f.Value.Type.DType, Shape: f.Value.Type.Shape.Ints()}
		values[f.Name] = f.Value
	}
	shards, err := safetensors.PlanShards("model", tensors, shardBytes)
	if err != nil {
		return err
	}
	var total int64
	for _, s := range shards {
		total += s.Size
	}
	for _, s := range shards {
		if err := q.shard(ctx, dir, s, values, total); err != nil {
			return err
		}
	}
	if len(shards) == 1 {
		return nil
	}
	var index bytes.Buffer
	if err := safetensors.WriteIndex(&index, shards); err != nil {
		return err
	}
	return durable.WriteFileAtomic(q.fs, filepath.Join(dir, "model.safetensors.index.json"), index.Bytes())
}

// shard streams one file.
func (q *quantizer) shard(ctx context.Context, dir string, s safetensors.ShardPlan, values map[string]*ir.Value, total int64) (err error) {
	file, err := q.fs.Create(filepath.Join(dir, s.Name))
	if err != nil {
		return &OutputError{q.out, err}
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w, err := safetensors.NewWriter(&appender{file: file}, s.Tensors, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	list := make([]*ir.Value, len(s.Tensors))
	for i, t := range s.Tensors {
		list[i] = values[t.Name]
	}
	e := q.prepared.settings.Execution
	if report := q.prepared.settings.stage("write"); report != nil {
		before := q.done
		e.Progress = func(done, _ int64) { q.done = before + done; report(q.done, total) }
	}
	if err := codegen.Stream(ctx, q.casts, list, w, e); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return file.Sync()
}

// appender writes to a file one piece after the other.
type appender struct {
	file durable.File
	at   int64
}

// Write appends p.
func (a *appender) Write(p []byte) (int, error) {
	n, err := a.file.WriteAt(p, a.at)
	a.at += int64(n)
	return n, err
}
