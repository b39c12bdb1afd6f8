package emu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// Addr is a byte offset in a device's memory.
type Addr uint64

// gap keeps tensors apart, so that a kernel which leaves one does not reach another.
const (
	gap   = 4096
	align = 512
)

// ErrClosed is returned by a device after Close.
var ErrClosed = errors.New("device is closed")

// Device is a child process with the library's kernels and memory shared with it. A Device is for
// one goroutine at a time.
type Device struct {
	lib     *Library
	file    *os.File
	memory  []byte
	blocks  []block // allocated, by address
	child   *child
	kernels map[string]signature
	closed  bool
}

type block struct{ at, end Addr }

// signature is what a compiled kernel takes.
type signature struct{ args []param }

type param struct {
	pointer bool
	bytes   int
}

// Start brings up a device with a memory of so many bytes.
func (l *Library) Start(ctx context.Context, memory int64) (*Device, error) {
	if memory <= 0 {
		return nil, fmt.Errorf("device memory of %d bytes", memory)
	}
	memory = (memory + 65535) / 65536 * 65536
	file, data, err := shareMemory(memory)
	if err != nil {
		return nil, fmt.Errorf("device memory of %d bytes: %w", memory, err)
	}
	d := &Device{lib: l, file: file, memory: data}
	if err := d.restart(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Alloc reserves memory: aligned to 512 bytes, with slack behind it and a gap to the next tensor.
func (d *Device) Alloc(n int64) (Addr, error) {
	if n <= 0 {
		return 0, fmt.Errorf("allocation of %d bytes", n)
	}
	at := Addr(gap)
	for i, b := range d.blocks {
		if b.at >= at && Addr(n)+gap <= b.at-at {
			d.blocks = slices.Insert(d.blocks, i, block{at, at + Addr(n)})
			return at, nil
		}
		at = (b.end + gap + align - 1) / align * align
	}
	if Addr(n)+gap > Addr(len(d.memory)) || at > Addr(len(d.memory))-Addr(n)-gap {
		return 0, fmt.Errorf("device memory of %d bytes has no room for %d more", len(d.memory), n)
	}
	d.blocks = append(d.blocks, block{at, at + Addr(n)})
	return at, nil
}

// Free gives a tensor's memory back; the address must be one that Alloc returned.
func (d *Device) Free(at Addr) error {
	i := slices.IndexFunc(d.blocks, func(b block) bool { return b.at == at })
	if i < 0 {
		return fmt.Errorf("address %d was not allocated", at)
	}
	d.blocks = slices.Delete(d.blocks, i, i+1)
	return nil
}

// Reset frees everything.
func (d *Device) Reset() { d.blocks = nil }

// Bytes is the memory itself, valid until Close. It panics outside the device's memory.
func (d *Device) Bytes(at Addr, n int64) []byte { return d.memory[at : at+Addr(n) : at+Addr(n)] }

// Close stops the process and releases the memory.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if d.child != nil {
		d.child.stop()
	}
	return releaseMemory(d.file, d.memory)
}

// child is the running process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	stderr bytes.Buffer
}

func (c *child) stop() {
	c.in.Close()
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// restart starts a process, after a crash or for the first time; memory stays as it is.
func (d *Device) restart(ctx context.Context) error {
	c := &child{cmd: exec.Command(d.lib.path)}
	c.cmd.ExtraFiles = []*os.File{d.file}
	c.cmd.Stderr = &c.stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return fmt.Errorf("start device: %w", err)
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return fmt.Errorf("start device: %w", err)
	}
	if err = c.cmd.Start(); err != nil {
		return fmt.Errorf("start device: %w", err)
	}
	d.child = c
	r, err := d.ask(ctx, d.greeting())
	if err == nil {
		d.kernels, err = signatures(r)
	}
	if err != nil {
		c.stop()
		d.child = nil
		return fmt.Errorf("start device: %w", err)
	}
	return nil
}

func (d *Device) greeting() *writer {
	w, m := &writer{}, d.lib.machine
	for i := range memories {
		w.u32(m.size[i])
		w.u32(m.usable[i])
	}
	for _, v := range []uint32{m.cubes, m.vectors, m.queue, m.id} {
		w.u32(v)
	}
	for s := range m.dram {
		w.f64(m.dram[s])
		w.f64(m.dramChip[s])
	}
	for _, v := range m.rates {
		w.f64(v)
	}
	w.u64(uint64(len(d.memory)))
	return w
}

func signatures(r *reader) (map[string]signature, error) {
	out := map[string]signature{}
	for range r.count(9) {
		name := r.text()
		r.u8()
		s := signature{}
		for range r.count(2) {
			s.args = append(s.args, param{r.u8() != 0, int(r.u8())})
		}
		out[name] = s
	}
	return out, r.err
}

// ask sends a request and waits for the answer; a done context kills the process.
func (d *Device) ask(ctx context.Context, w *writer) (*reader, error) {
	c := d.child
	stop := context.AfterFunc(ctx, func() { c.cmd.Process.Kill() })
	defer stop()
	err := w.send(c.in)
	var r *reader
	if err == nil {
		r, err = receive(c.out)
	}
	if err == nil {
		return r, nil
	}
	c.in.Close()
	state := c.cmd.Wait()
	d.child = nil
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, &crash{state, c.stderr.String()}
}

// crash is a child process that ended by itself.
type crash struct {
	state error
	said  string
}

func (e *crash) Error() string {
	if e.state == nil {
		return "the process ended"
	}
	s := "the process ended: " + e.state.Error()
	if e.said != "" {
		s += ": " + e.said[:min(len(e.said), 400)]
	}
	return s
}
