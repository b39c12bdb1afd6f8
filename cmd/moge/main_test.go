package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"moge/ascend/emu"
	"moge/cmd/internal/cli"
	"moge/formats/durable"
)

// TestMain lets scripts run the program, and the program on systems that misbehave.
func TestMain(m *testing.M) {
	with := func(change func(app *cli.App)) func() {
		return func() {
			app := cli.New(rows...)
			change(app)
			os.Exit(run(app, os.Args[1:]))
		}
	}
	testscript.Main(m, map[string]func(){
		"moge":         main,
		"moge-no-room": with(func(app *cli.App) { app.FS = badFS{FS: app.FS} }),
		"moge-disk-full": with(func(app *cli.App) {
			app.FS = badFS{FS: app.FS, write: diskFull, free: 1 << 50}
		}),
		"moge-interrupt": with(func(app *cli.App) {
			app.FS = badFS{FS: app.FS, write: interruptWrite(), free: 1 << 50}
		}),
		"moge-interrupt-me": with(func(app *cli.App) {
			app.Out = cli.NewOutput(hooked{app.Out, interruptMe})
		}),
		"moge-truncate": with(func(app *cli.App) {
			app.Out = cli.NewOutput(hooked{app.Out, truncateFile})
		}),
		"moge-closed": with(func(app *cli.App) { app.Out = cli.NewOutput(closed{}) }),
	})
}

func TestScripts(t *testing.T) {
	data, err := filepath.Abs("../../tests/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), Cmds: scriptCommands,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true, RequireUniqueNames: true,
		Condition: condition,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TINY", filepath.Join(data, "tiny-moge"))
			e.Setenv("FAMILIES", filepath.Join(data, "families"))
			e.Setenv("DATA", data)
			return nil
		},
	})
}

// condition is cxx: kernels can be executed here. In CI they must.
func condition(name string) (bool, error) {
	if name != "cxx" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	err := emu.Available()
	if err != nil && os.Getenv("CI") == "true" {
		return false, err
	}
	return err == nil, nil
}

// badFS has as much room as free says, and calls write before every write.
type badFS struct {
	durable.FS
	free  int64
	write func() error
}

// Free lies.
func (f badFS) Free(string) (int64, error) { return f.free, nil }

// Create makes a file that fails as the file system does.
func (f badFS) Create(path string) (durable.File, error) { return f.file(f.FS.Create(path)) }

// OpenWrite opens a file that fails as the file system does.
func (f badFS) OpenWrite(path string) (durable.File, error) { return f.file(f.FS.OpenWrite(path)) }

func (f badFS) file(file durable.File, err error) (durable.File, error) {
	if err != nil || f.write == nil {
		return file, err
	}
	return badFile{file, f.write}, nil
}

type badFile struct {
	durable.File
	write func() error
}

// WriteAt asks first.
func (f badFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.write(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func diskFull() error { return &os.PathError{Op: "write", Path: "disk", Err: syscall.ENOSPC} }

// interruptWrite sends this process an interrupt at the write that the environment counts.
func interruptWrite() func() error {
	left, _ := strconv.Atoi(os.Getenv("INTERRUPT_AT")) // absent is at once
	return func() error {
		if left--; left == 0 {
			interruptMe()
		}
		return nil
	}
}

// hooked calls hook after the first write.
type hooked struct {
	io.Writer
	hook func()
}

var hookedOnce bool

// Write writes, then calls the hook.
func (h hooked) Write(p []byte) (int, error) {
	n, err := h.Writer.Write(p)
	if !hookedOnce {
		hookedOnce = true
		h.hook()
	}
	return n, err
}

func interruptMe() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		panic(err)
	}
	time.Sleep(200 * time.Millisecond) // until the signal has been delivered
}

// truncateFile cuts the file that the environment names.
func truncateFile() {
	if err := os.Truncate(os.Getenv("TRUNCATE"), 4096); err != nil {
		panic(err)
	}
}

// closed is an output whose reader has gone away.
type closed struct{}

// Write fails.
func (closed) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
