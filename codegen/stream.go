package codegen

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"moge/codegen/weights"
	"moge/ir"
)

// streamBytes is about the output of one piece of a stream.
const streamBytes = 2 << 20

// piece is a range of elements of a constant, cut at whole rows.
type piece struct {
	value  *ir.Value
	off, n int64
	bytes  chan []byte
}

// Stream evaluates constants row-major, one after the other, and writes their bytes in
// order. Pieces are evaluated ahead by the workers; the writer is called from one goroutine.
func Stream(ctx context.Context, src weights.Source, values []*ir.Value, w io.Writer, e Execution) error {
	workers := max(1, e.Workers)
	group, ctx := errgroup.WithContext(ctx)
	todo := make(chan *piece)
	ordered := make(chan *piece, workers) // bounds how far evaluation runs ahead
	group.Go(func() error {
		defer close(todo)
		defer close(ordered)
		return feed(ctx, values, todo, ordered)
	})
	for range workers {
		group.Go(func() error { return evaluate(ctx, src, todo) })
	}
	group.Go(func() error { return collect(ctx, ordered, w, values, e.Progress) })
	return group.Wait()
}

func feed(ctx context.Context, values []*ir.Value, todo, ordered chan<- *piece) error {
	for _, v := range values {
		total := weights.Elements(v)
		step := rowsPerPiece(v) * weights.RowLength(v)
		for off := int64(0); off < total; off += step {
			p := &piece{v, off, min(step, total-off), make(chan []byte, 1)}
			for _, to := range []chan<- *piece{ordered, todo} {
				select {
				case to <- p:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	}
	return nil
}

// rowsPerPiece counts in rows of the source where one element stands for a whole row of it.
func rowsPerPiece(v *ir.Value) int64 {
	row := v.Type.DType.Bytes(weights.RowLength(v))
	if v.Def.Op == ir.OpQuantizeWeight && v.Index == 1 {
		arg := v.Def.Args[0]
		row = arg.Type.DType.Bytes(weights.RowLength(arg)) * weights.RowLength(v)
	}
	return max(1, streamBytes/row)
}

func evaluate(ctx context.Context, src weights.Source, todo <-chan *piece) error {
	for p := range todo {
		out := make([]byte, p.value.Type.DType.Bytes(p.n))
		if err := weights.Read(src, p.value, p.off, p.n, out); err != nil {
			return err
		}
		p.bytes <- out
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func collect(ctx context.Context, ordered <-chan *piece, w io.Writer, values []*ir.Value,
	progress func(done, total int64)) error {
	var done, total int64
	for _, v := range values {
		total += v.Type.DType.Bytes(weights.Elements(v))
	}
	for p := range ordered {
		select {
		case out := <-p.bytes:
			if _, err := w.Write(out); err != nil {
				return err
			}
			done += int64(len(out))
			if progress != nil {
				progress(done, total)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
