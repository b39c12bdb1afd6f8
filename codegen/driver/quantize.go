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
	defer LimitHeap(s.Execution.MaxMemory)()
	if m.Quantized {
		return nil, &InputError{m.Dir, "the directory is quantized already", "compile it"}
	}
	out = filepath.Clean(out)
	if err := checkPlace(fsys, out, s.Force); err != nil {
		return nil, err
	}
	p, err := Prepare(ctx, m, s)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckSpace(fsys, out, bundle.WeightBytes(p.Plan.Manifest)); err != nil {
		return nil, err
	}
	if err := m.describeSources(ctx, p.Graph, s.Execution.Workers, s.stage("hash")); err != nil {
		return nil, err
	}
	summary := p.Summary()
	q := &quantizer{fs: fsys, out: out, prepared: p, casts: &castLog{Source: p.source()}}
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
	defer func() { err = errors.Join(err, outputError(q.out, unlock())) }()
	if err := q.restoreReplaced(); err != nil {
		return err
	}
	if err := checkPlace(q.fs, q.out, q.prepared.settings.Force); err != nil {
		return err
	}
	if err := q.fs.RemoveAll(partial); err != nil {
		return outputError(q.out, err)
	}
	if err := q.fs.Mkdir(partial); err != nil {
		return outputError(q.out, err)
	}
	err = q.fill(ctx, partial)
	if err == nil {
		err = q.publish(partial)
	}
	if err != nil {
		return errors.Join(err, outputError(q.out, q.fs.RemoveAll(partial)))
	}
	return outputError(q.out, q.fs.RemoveAll(q.replaced()))
}

// replaced is where an old output waits while the new one takes its name.
func (q *quantizer) replaced() string { return q.out + ".replaced" }

// restoreReplaced undoes a replacement that was cut off between its two renames.
func (q *quantizer) restoreReplaced() error {
	if _, err := q.fs.Stat(q.out); !errors.Is(err, fs.ErrNotExist) {
		return outputError(q.out, errors.Join(err, q.fs.RemoveAll(q.replaced())))
	}
	if _, err := q.fs.Stat(q.replaced()); err != nil {
		return nil
	}
	return outputError(q.out, q.fs.Rename(q.replaced(), q.out))
}

// publish gives the complete directory its name; with --force, what had it steps aside.
func (q *quantizer) publish(partial string) error {
	if err := q.fs.SyncDir(partial); err != nil {
		return outputError(q.out, err)
	}
	_, err := q.fs.Stat(q.out)
	if err == nil {
		err = q.fs.Rename(q.out, q.replaced())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return outputError(q.out, err)
	}
	if err := q.fs.Rename(partial, q.out); err != nil {
		return errors.Join(outputError(q.out, err), q.restoreReplaced())
	}
	return outputError(q.out, q.fs.SyncDir(filepath.Dir(q.out)))
}

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
	if err := q.small(dir, GraphFile, text.Bytes()); err != nil {
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
		if err := q.small(dir, name, data); err != nil {
			return err
		}
	}
	if stats := q.prepared.statistics(); stats != nil {
		if err := q.small(dir, StatsFile, stats); err != nil {
			return err
		}
	}
	for _, f := range q.prepared.model.Files {
		if err := q.small(dir, f.Path, f.Data); err != nil {
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
	if err := bundle.CheckSpace(q.fs, q.out, total); err != nil {
		return err
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
	return q.small(dir, "model.safetensors.index.json", index.Bytes())
}

// small writes a file that is held in memory.
func (q *quantizer) small(dir, name string, data []byte) error {
	return outputError(q.out, durable.WriteFileAtomic(q.fs, filepath.Join(dir, name), data))
}

// shard streams one file.
func (q *quantizer) shard(ctx context.Context, dir string, s safetensors.ShardPlan,
	values map[string]*ir.Value, total int64) (err error) {
	file, err := q.fs.Create(filepath.Join(dir, s.Name))
	if err != nil {
		return outputError(q.out, err)
	}
	defer func() { err = errors.Join(err, outputError(q.out, file.Close())) }()
	w, err := safetensors.NewWriter(&appender{file: file, out: q.out}, s.Tensors,
		map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	list := make([]*ir.Value, len(s.Tensors))
	for i, t := range s.Tensors {
		list[i] = values[t.Name]
	}
	e, err := q.prepared.settings.Execution.CheckMemory(q.prepared.Plan)
	if err != nil {
		return err
	}
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
	return outputError(q.out, file.Sync())
}

// appender writes to a file one piece after the other.
type appender struct {
	file durable.File
	out  string // for errors
	at   int64
}

// Write appends p.
func (a *appender) Write(p []byte) (int, error) {
	n, err := a.file.WriteAt(p, a.at)
	a.at += int64(n)
	return n, outputError(a.out, err)
}
