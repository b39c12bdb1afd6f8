package synth

import (
	"context"
	"io"
	"runtime"
	"sync"

	"moge/formats/safetensors"
)

// chunkBytes is how much one worker makes at a time; a multiple of what one random number gives.
const chunkBytes = 1 << 20

// chunk is a part of a tensor on its way from producer to worker to writer.
type chunk struct {
	buf   []byte
	table table
	key   uint64
	first uint64        // element of the tensor
	ready chan struct{} // closed when buf is filled
}

// stream writes the tensors one after the other. Chunks are filled by several workers and
// written in order; so many are in flight that no worker waits for the writer's system call.
func stream(ctx context.Context, w io.Writer, tensors []safetensors.Tensor, v *values,
	wrote func(int64)) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := runtime.GOMAXPROCS(0)
	buffers := 2*workers + 1
	free := make(chan []byte, buffers)
	work, order := make(chan *chunk, buffers), make(chan *chunk, buffers)
	for range buffers {
		free <- make([]byte, chunkBytes)
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // comes first: it lets the producer end, and so the workers
	running.Go(func() {
		defer close(work)
		defer close(order)
		produce(ctx, tensors, v, free, func(c *chunk) { order <- c; work <- c })
	})
	for range workers {
		running.Go(func() { fillAll(work) })
	}
	for c := range order {
		<-c.ready
		if _, err := w.Write(c.buf); err != nil {
			return err
		}
		wrote(int64(len(c.buf)))
		free <- c.buf[:chunkBytes]
	}
	return ctx.Err()
}

// produce divides the tensors into chunks; it stops early when ctx ends.
func produce(ctx context.Context, tensors []safetensors.Tensor, v *values, free <-chan []byte,
	send func(*chunk)) {
	for _, t := range tensors {
		table, key := v.table(t), tensorKey(v.seed, t.Name)
		for at := int64(0); at < t.Size; at += chunkBytes {
			select {
			case <-ctx.Done():
				return
			case buf := <-free:
				send(&chunk{buf: buf[:min(chunkBytes, t.Size-at)], table: table, key: key,
					first: uint64(at) / uint64(table.width()), ready: make(chan struct{})})
			}
		}
	}
}

func fillAll(work <-chan *chunk) {
	for c := range work {
		c.table.fill(c.buf, c.key, c.first)
		close(c.ready)
	}
}
