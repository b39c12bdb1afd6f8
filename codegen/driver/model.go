package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"moge/formats/bundle"
	"moge/formats/hf"
	"moge/formats/models"
	"moge/formats/safetensors"
	"moge/formats/tokenizer"
	"moge/ir"
	"moge/ir/dtype"
	"moge/quant"
)

// GraphFile is the graph of a directory that Quantize wrote, and what tells such a
// directory from a checkpoint.
const GraphFile = "model.ir"

// maxGraphFile bounds the text of a graph that is read, bytes.
const maxGraphFile = 1 << 30

// Model is an open model directory: a checkpoint, or what Quantize made of one. Its graph is
// over the tensors of the directory. It is a weights.Source.
type Model struct {
	Dir       string
	Graph     *ir.Graph
	Quantized bool // the directory holds a graph with its passes behind it
	Report    models.Report
	Config    *hf.Config
	Tensors   *safetensors.Checkpoint
	Tokenizer *tokenizer.Tokenizer // nil when the directory has none
	Files     []bundle.SmallFile   // the tokenizer's files, by base name

	statistics []byte // of a quantized directory, nil without any
}

// InputError is a defect of what the user gave.
type InputError struct {
	Path   string
	Reason string
	Hint   string // what to do
}

// Error is one line: where, what, what to do.
func (e *InputError) Error() string {
	text := e.Path + ": " + e.Reason
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Open reads headers, configuration and tokenizer of a directory and builds its graph. A
// tensor that no part of the model reads is refused unless ignoreUnknown is set: a model that
// is only half understood writes nonsense.
func Open(dir string, ignoreUnknown bool) (*Model, error) {
	m := &Model{Dir: dir}
	if err := m.open(ignoreUnknown); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Model) open(ignoreUnknown bool) error {
	if err := wantDirectory(m.Dir); err != nil {
		return err
	}
	var err error
	if m.Config, err = hf.Load(m.Dir); err != nil {
		return err
	}
	if m.Tensors, err = safetensors.Open(m.Dir); err != nil {
		return err
	}
	if err := m.openTokenizer(); err != nil {
		return err
	}
	return m.openGraph(ignoreUnknown)
}

func wantDirectory(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &InputError{dir, "no such directory", "give the folder that holds config.json and *.safetensors"}
	}
	if err == nil && !info.IsDir() {
		return &InputError{dir, "not a directory", "give the folder that holds config.json and *.safetensors"}
	}
	return err
}

func (m *Model) openTokenizer() error {
	t, err := tokenizer.Load(m.Dir)
	if errors.Is(err, tokenizer.ErrNoTokenizer) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.CheckVocab(m.Config.VocabSize); err != nil {
		return &InputError{m.Dir, err.Error(), ""}
	}
	m.Tokenizer = t
	for _, name := range tokenizer.Files(m.Dir) {
		data, err := os.ReadFile(filepath.Join(m.Dir, name))
		if err != nil {
			return err
		}
		m.Files = append(m.Files, bundle.SmallFile{Path: name, Data: data})
	}
	return nil
}

func (m *Model) openGraph(ignoreUnknown bool) error {
	path := filepath.Join(m.Dir, GraphFile)
	if _, err := os.Stat(path); err == nil {
		m.Quantized = true
		return errors.Join(m.readStatistics(), m.readGraph(path))
	}
	g, report, err := models.Build(m.Config, models.FromCheckpoint(m.Tensors))
	m.Report = *report
	if err != nil {
		return err
	}
	if unknown := report.Unknown; len(unknown) > 0 && !ignoreUnknown {
		others := ""
		if n := len(unknown) - 1; n > 0 {
			others = fmt.Sprintf(" and %d others", n)
		}
		return &InputError{m.Dir, "no part of the model reads tensor " + unknown[0] + others,
			"config.json does not describe this checkpoint; --ignore-unknown drops them"}
	}
	m.Graph = g
	return nil
}

// readGraph reads the graph that Quantize wrote and compares it with the tensors beside it.
func (m *Model) readGraph(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > maxGraphFile {
		return &InputError{path, fmt.Sprintf("%d bytes, at most %d are read", info.Size(), maxGraphFile), ""}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if m.Graph, err = ir.Parse(GraphFile, string(text)); err != nil {
		return &InputError{m.Dir, err.Error(), "run moge quantize again"}
	}
	for _, n := range m.Graph.Nodes {
		if n.Op == ir.OpWeight {
			if err := m.wantTensor(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// readStatistics takes along what static scales came from.
func (m *Model) readStatistics() error {
	path := filepath.Join(m.Dir, StatsFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	data, err := readBounded(path, maxCalibration)
	if err != nil {
		return err
	}
	if _, err := quant.ParseStats(data); err != nil {
		return &InputError{path, err.Error(), "run moge quantize again"}
	}
	m.statistics = data
	return nil
}

// blame turns what is wrong with the graph of a quantized directory into a defect of it: a
// graph that was built from a checkpoint has no such defects.
func (m *Model) blame(err error) error {
	if err == nil || !m.Quantized {
		return err
	}
	return &InputError{m.Dir, GraphFile + ": " + err.Error(), "run moge quantize again"}
}

func (m *Model) wantTensor(n *ir.Node) error {
	name, want := n.Str("name"), n.Result().Type
	t, ok := m.Tensors.Tensor(name)
	if !ok {
		return &InputError{m.Dir, "tensor " + name + " is missing", "run moge quantize again"}
	}
	if t.DType != want.DType || !equalInts(t.Shape, want.Shape.Ints()) {
		return &InputError{filepath.Join(m.Dir, t.Shard),
			fmt.Sprintf("tensor %s is %v%v, but %s says %v", name, t.DType, t.Shape, GraphFile, want), "run moge quantize again"}
	}
	return nil
}

func equalInts(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// ReadAt reads bytes of a tensor of the directory.
func (m *Model) ReadAt(name string, dst []byte, off int64) error {
	t, ok := m.Tensors.Tensor(name)
	if !ok {
		return &InputError{m.Dir, "tensor " + name + " is missing", ""}
	}
	return m.Tensors.ReadAt(t, dst, off)
}

// TypeOf is the element type of a tensor of the directory.
func (m *Model) TypeOf(name string) dtype.Type {
	t, _ := m.Tensors.Tensor(name)
	return t.DType
}

// Close releases the files.
func (m *Model) Close() error {
	if m.Tensors == nil {
		return nil
	}
	return m.Tensors.Close()
}
