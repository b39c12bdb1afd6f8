package runcmd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"

	"moge/cmd/internal/cli"
	"moge/cmd/internal/exit"
	"moge/formats/bundle"
	"moge/formats/durable"
	"moge/formats/safetensors"
	"moge/ir/dtype"
	"moge/runtime/engine"
	"moge/runtime/eval"
)

// runTokens writes the logits of given ids.
func (f *flags) runTokens(ctx context.Context, app *cli.App, e *engine.Engine) error {
	if err := f.refuseOutput(app.FS); err != nil {
		return err
	}
	ids, err := readIDs(f.tokens)
	if err != nil {
		return blame(err)
	}
	logits, err := eval.Logits(ctx, e, ids)
	if err != nil {
		return blame(err)
	}
	rows, width := int64(len(ids)), int64(len(ids[0]))
	shape := []int64{rows, width, int64(len(logits)) / (rows * width)}
	if err := writeLogits(app.FS, f.logits, shape, logits); err != nil {
		return err
	}
	app.Term.Note("wrote %s: logits %v", f.logits, shape)
	return nil
}

// refuseOutput fails early if the logits cannot be written.
func (f *flags) refuseOutput(fsys durable.FS) error {
	parent := filepath.Dir(f.logits)
	if info, err := fsys.Stat(parent); err != nil || !info.IsDir() {
		return &bundle.Error{Path: parent, Offset: -1, Reason: "is no directory",
			Hint: "create it first", Err: errors.Join(fs.ErrNotExist, err)}
	}
	_, err := fsys.Stat(f.logits)
	if f.force || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return &bundle.Error{Path: f.logits, Offset: -1, Reason: "output exists",
		Hint: "use another name or --force", Err: bundle.ErrExists}
}

const idsTensor = "input_ids"

// readIDs reads input_ids [B,T] of int32 or int64.
func readIDs(path string) ([][]int32, error) {
	c, err := safetensors.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	t, ok := c.Tensor(idsTensor)
	if !ok {
		return nil, fmt.Errorf("%s: tensor %s is missing", path, idsTensor)
	}
	if len(t.Shape) != 2 || t.Shape[0] < 1 || t.Shape[1] < 1 ||
		t.DType != dtype.I32 && t.DType != dtype.I64 {
		return nil, fmt.Errorf("%s: tensor %s is %v%v, it must be i32 or i64 [B,T]",
			path, idsTensor, t.DType, t.Shape)
	}
	raw := make([]byte, t.Size)
	if err := c.ReadAt(t, raw, 0); err != nil {
		return nil, err
	}
	flat, err := decodeIDs(path, t.DType, raw)
	if err != nil {
		return nil, err
	}
	ids := make([][]int32, t.Shape[0])
	for i := range ids {
		ids[i], flat = flat[:t.Shape[1]], flat[t.Shape[1]:]
	}
	return ids, nil
}

func decodeIDs(path string, d dtype.Type, raw []byte) ([]int32, error) {
	width := int(d.Bytes(1))
	ids := make([]int32, len(raw)/width)
	for i := range ids {
		v := int64(int32(binary.LittleEndian.Uint32(raw[i*width:])))
		if d == dtype.I64 {
			v = int64(binary.LittleEndian.Uint64(raw[i*width:]))
		}
		if v < 0 || v > math.MaxInt32 {
			return nil, fmt.Errorf("%s: tensor %s: element %d is %d, which is no token id",
				path, idsTensor, i, v)
		}
		ids[i] = int32(v)
	}
	return ids, nil
}

// writeLogits writes one tensor; the file appears when it is complete.
func writeLogits(fsys durable.FS, path string, shape []int64, logits []float32) (err error) {
	temp := path + ".partial"
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fillLogits(fsys, temp, shape, logits); err != nil {
		_ = fsys.Remove(temp) // the first error is the one to report
		return outputError(path, err)
	}
	if err := fsys.Rename(temp, path); err != nil {
		return outputError(path, errors.Join(err, fsys.Remove(temp)))
	}
	return outputError(path, fsys.SyncDir(filepath.Dir(path)))
}

func outputError(path string, err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return exit.With(exit.Code(err), fmt.Errorf("%s: cannot be written: %w", path, err))
}

func fillLogits(fsys durable.FS, path string, shape []int64, logits []float32) (err error) {
	file, err := fsys.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	tensors := []safetensors.Tensor{{Name: "logits", DType: dtype.F32, Shape: shape}}
	w, err := safetensors.NewWriter(io.NewOffsetWriter(file, 0), tensors,
		map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	piece := make([]byte, 0, 1<<16)
	for len(logits) > 0 {
		n := min(len(logits), cap(piece)/4)
		piece = piece[:0]
		for _, v := range logits[:n] {
			piece = binary.LittleEndian.AppendUint32(piece, math.Float32bits(v))
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		logits = logits[n:]
	}
	return errors.Join(w.Close(), file.Sync())
}
