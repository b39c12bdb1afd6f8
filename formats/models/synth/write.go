package synth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"moge/formats/durable"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
)

// Options says what to write.
type Options struct {
	Layers int    // instead of the config's num_hidden_layers; 0 keeps it
	Seed   uint64 // equal seeds give equal bytes
	// Sparse writes headers only: the files have their full size but occupy no storage, and all
	// weights read as zeros.
	Sparse     bool
	ShardBytes int64 // data of one file at most; 0 means DefaultShardBytes
	// Progress, if not nil, is told now and then how many bytes of how many are written.
	Progress func(done, total int64)
}

// DefaultShardBytes is the size of a shard as published models have it.
const DefaultShardBytes = 4 << 30

// Write makes the folder dir, which must not exist, a checkpoint of the model that config (the
// text of a config.json) describes. The folder appears when it is complete and on disk; until
// then it is dir.partial, which is removed on failure.
func Write(ctx context.Context, config []byte, o Options, dir string) error {
	return write(ctx, durable.OS(), config, o, dir)
}

// job is one checkpoint being written.
type job struct {
	ctx    context.Context
	fs     durable.FS
	o      Options
	config []byte
	values *values
	plans  []safetensors.ShardPlan
	done   int64
	total  int64
}

func write(ctx context.Context, fsys durable.FS, config []byte, o Options, dir string) (err error) {
	j, err := newJob(ctx, fsys, config, o)
	if err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	unlock, err := fsys.Lock(dir + ".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := j.room(dir); err != nil {
		return err
	}
	partial := dir + ".partial"
	if err := j.fill(partial); err != nil {
		return errors.Join(err, fsys.RemoveAll(partial))
	}
	if err := fsys.Rename(partial, dir); err != nil {
		return errors.Join(err, fsys.RemoveAll(partial))
	}
	return fsys.SyncDir(filepath.Dir(dir))
}

// newJob decides everything that is to be written.
func newJob(ctx context.Context, fsys durable.FS, config []byte, o Options) (*job, error) {
	j := &job{ctx: ctx, fs: fsys, o: o, config: config}
	if o.Layers < 0 || o.ShardBytes < 0 {
		return nil, fmt.Errorf("%d layers and %d bytes a shard: neither may be below zero",
			o.Layers, o.ShardBytes)
	}
	cfg, err := hf.ParseConfig(configName, config)
	if err == nil && o.Layers > 0 {
		if j.config, err = setLayers(config, o.Layers); err == nil {
			cfg, err = hf.ParseConfig(configName, j.config)
		}
	}
	if err != nil {
		return nil, err
	}
	specs, err := models.Declared(cfg)
	if err != nil {
		return nil, err
	}
	if j.values, err = newValues(cfg, o.Seed); err != nil {
		return nil, err
	}
	return j, j.plan(specs)
}

func (j *job) plan(specs []models.TensorSpec) error {
	limit := j.o.ShardBytes
	if limit == 0 {
		limit = DefaultShardBytes
	}
	tensors := make([]safetensors.Tensor, len(specs))
	for i, s := range specs {
		tensors[i] = safetensors.Tensor{Name: s.Name, DType: s.DType, Shape: s.Shape}
	}
	var err error
	j.plans, err = safetensors.PlanShards("model", tensors, limit)
	for _, p := range j.plans {
		j.total += p.Size
	}
	return err
}

// room checks that dir is free and that the disk holds what will be written.
func (j *job) room(dir string) error {
	if _, err := j.fs.Stat(dir); err == nil {
		return &fs.PathError{Op: "write checkpoint", Path: dir,
			Err: fmt.Errorf("%w, remove it or give another folder", fs.ErrExist)}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	free, err := j.fs.Free(filepath.Dir(dir))
	if err != nil {
		return err
	}
	if !j.o.Sparse && free < j.total {
		return fmt.Errorf("%s: the checkpoint takes %d bytes but the disk has %d free: "+
			"make room, write fewer layers, or none of the data (sparse)", dir, j.total, free)
	}
	return nil
}

const configName = "config.json"

// fill writes the whole folder and brings it to disk. What an interrupted job left is replaced.
func (j *job) fill(partial string) error {
	if err := j.fs.RemoveAll(partial); err != nil {
		return err
	}
	if err := j.fs.Mkdir(partial); err != nil {
		return err
	}
	for _, p := range j.plans {
		if err := j.shard(filepath.Join(partial, p.Name), p); err != nil {
			return err
		}
	}
	if len(j.plans) > 1 {
		var index bytes.Buffer
		if err := safetensors.WriteIndex(&index, j.plans); err != nil {
			return err
		}
		name := filepath.Join(partial, "model.safetensors.index.json")
		if err := durable.WriteFileSync(j.fs, name, index.Bytes()); err != nil {
			return err
		}
	}
	if err := durable.WriteFileSync(j.fs, filepath.Join(partial, configName), j.config); err != nil {
		return err
	}
	return j.fs.SyncDir(partial)
}

// shard writes one file.
func (j *job) shard(path string, p safetensors.ShardPlan) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	f, err := j.fs.Create(path)
	if err != nil {
		return err
	}
	if err := j.data(f, p); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func (j *job) data(f durable.File, p safetensors.ShardPlan) error {
	metadata := map[string]string{"format": "pt"} // the reference library refuses files without
	w, err := safetensors.NewWriter(io.NewOffsetWriter(f, 0), p.Tensors, metadata)
	if err != nil {
		return err
	}
	if j.o.Sparse {
		header, err := f.Size()
		if err != nil {
			return err
		}
		j.advance(p.Size)
		return f.Truncate(header + p.Size)
	}
	if err := stream(j.ctx, w, p.Tensors, j.values, j.advance); err != nil {
		return err
	}
	return w.Close()
}

func (j *job) advance(n int64) {
	j.done += n
	if j.o.Progress != nil {
		j.o.Progress(j.done, j.total)
	}
}
