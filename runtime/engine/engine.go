package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/tokenizer"
	"moge/runtime/device"
	"moge/runtime/ranks"
)

// Options say how a bundle is opened. The zero value runs it on the CPU as it was planned.
type Options struct {
	Device device.Device  // nil is CPU
	Load   device.Options // threads, size of the cache, context, tap
	// FullCheck compares every byte of the bundle with its hashes first; Progress, if not
	// nil, is told the bytes read so far and in all.
	FullCheck bool
	Progress  func(done, total int64)
}

// Engine is an open bundle, ready to run.
type Engine struct {
	bundle       *bundle.Bundle
	device       string
	tokenizer    *tokenizer.Tokenizer
	tokenizerErr error
	ranked       bool // the program finds the greatest logits itself

	mu     sync.Mutex // guards what follows: one step at a time
	runner device.Runner
	taken  []bool // by slot
}

// tokenizerFolder holds the tokenizer's files in a bundle.
const tokenizerFolder = "tokenizer/"

// Open opens the bundle in dir and loads its program "step". A bundle without tokenizer
// opens; what needs text will say so.
func Open(ctx context.Context, dir string, opt Options) (*Engine, error) {
	b, err := bundle.Open(dir, bundle.OpenOptions{})
	if err != nil {
		return nil, err
	}
	e := &Engine{bundle: b}
	if err := e.open(ctx, opt); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context, opt Options) error {
	if opt.FullCheck {
		if err := e.bundle.Check(ctx, opt.Progress); err != nil {
			return err
		}
	}
	if err := e.openTokenizer(); err != nil {
		return err
	}
	d := deviceFor(opt.Device)
	program := slices.IndexFunc(e.bundle.Manifest().Programs, func(p *bundlepb.Program) bool {
		return p.Name == bundle.StepProgram
	})
	var err error
	if e.runner, err = d.Load(e.bundle, program, opt.Load); err != nil {
		return err
	}
	e.device = d.Name()
	e.ranked = slices.ContainsFunc(e.bundle.Manifest().Programs[program].Outputs,
		func(p *bundlepb.Port) bool { return p.Name == "top.values" })
	e.taken = make([]bool, e.runner.Limits().Seqs)
	return nil
}

// deviceFor is the device that was asked for, the CPU if none was; a bundle for several ranks runs on it
// in one process.
func deviceFor(d device.Device) device.Device {
	if d == nil {
		d = CPU{}
	}
	return ranks.New(d)
}

func (e *Engine) openTokenizer() error {
	t, err := tokenizer.FromFiles(func(name string) ([]byte, error) {
		path := tokenizerFolder + name
		if !e.hasFile(path) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return e.bundle.File(path)
	})
	if errors.Is(err, tokenizer.ErrNoTokenizer) {
		e.tokenizerErr = fmt.Errorf("%s: %w", e.bundle.Dir(), err)
		return nil
	}
	if err == nil {
		err = t.CheckVocab(int(e.Model().GetVocabSize()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.TrimSuffix(e.bundle.Dir(), "/")+"/"+tokenizerFolder, err)
	}
	e.tokenizer = t
	return nil
}

func (e *Engine) hasFile(path string) bool {
	return slices.ContainsFunc(e.bundle.Manifest().Files, func(f *bundlepb.File) bool {
		return f.Path == path
	})
}

// Tokenizer is that of the bundle; without one the error wraps tokenizer.ErrNoTokenizer.
func (e *Engine) Tokenizer() (*tokenizer.Tokenizer, error) { return e.tokenizer, e.tokenizerErr }

// Model is what the bundle says about the model. It must not be changed.
func (e *Engine) Model() *bundlepb.Model { return e.bundle.Manifest().Model }

// Bundle is the open bundle.
func (e *Engine) Bundle() *bundle.Bundle { return e.bundle }

// Device is the name of the device that runs the steps.
func (e *Engine) Device() string { return e.device }

// Limits bound a step and a sequence.
func (e *Engine) Limits() device.Limits { return e.runner.Limits() }

// Outputs lists the names of the program's outputs, such as "logits" and "experts.0".
func (e *Engine) Outputs() []string {
	var names []string
	for _, p := range e.bundle.Program(bundle.StepProgram).Outputs {
		names = append(names, p.Name)
	}
	return names
}

// EOS lists the tokens that end a text.
func (e *Engine) EOS() []int32 {
	var ids []int32
	for _, id := range e.Model().GetEosIds() {
		ids = append(ids, int32(id))
	}
	return ids
}

// Run executes one step and hands its outputs to read, before any other step may run.
// Outputs are valid until read returns.
func (e *Engine) Run(ctx context.Context, b device.Batch, read func(device.Runner) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.runner.Run(ctx, b); err != nil {
		return err
	}
	return read(e.runner)
}

// Close frees everything. No step may run any more.
func (e *Engine) Close() error { return errors.Join(e.runner.Close(), e.bundle.Close()) }
