package emu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"moge/ascend/soc"
)

// groupSize is how many kernels share a translation unit: reading the interface takes most of the
// time of a small one.
const groupSize = 12

// builder compiles kernels and runtime for one chip.
type builder struct {
	tools   toolchain
	store   store
	include string
	macro   int
}

func newBuilder(chip *soc.Chip) (*builder, error) {
	tools, err := findToolchain()
	if err != nil {
		return nil, err
	}
	s, err := openStore()
	if err != nil {
		return nil, err
	}
	include, err := s.headers()
	if err != nil {
		return nil, err
	}
	return &builder{tools, s, include, coreMacro(chip)}, nil
}

func (b *builder) key(parts ...string) string {
	t := b.tools
	own := []string{t.path, t.version, t.target, fmt.Sprint(b.macro), cppKey("include/")}
	return hash(append(own, parts...)...)
}

// object compiles one text with extra flags, once.
func (b *builder) object(ctx context.Context, text, name string, flags ...string) (string, error) {
	key := b.key(append([]string{text}, flags...)...)
	return b.store.make(key+".o", func(scratch string) (string, error) {
		in, out := filepath.Join(scratch, name), filepath.Join(scratch, "out.o")
		if err := os.WriteFile(in, []byte(text), 0o644); err != nil {
			return "", err
		}
		args := slices.Concat(b.tools.common(b.macro), flags)
		if slices.Contains(flags, wantDump) {
			args = append(args, wantDump+"="+filepath.Join(scratch, dumpName))
		}
		args = append(args, "-I", b.include, "-c", in, "-o", out)
		said, err := b.tools.run(ctx, args...)
		if err != nil {
			return "", &toolError{said, err}
		}
		return out, checkDump(filepath.Join(scratch, dumpName))
	})
}

// wantDump is the flag that asks for the intermediate form.
const wantDump = "-fdump-tree-gimple-lineno"

// dumpName is where a unit that asks for it leaves the compiler's intermediate form.
const dumpName = "unit.gimple"

func checkDump(path string) error {
	dump, err := os.ReadFile(path)
	if err != nil {
		return nil // this unit made none
	}
	if problems := wideProducts(string(dump)); len(problems) > 0 {
		return &CompileError{problems}
	}
	return nil
}

// toolError is a compiler run that failed, with what it said.
type toolError struct {
	said string
	err  error
}

func (e *toolError) Error() string { return strings.TrimSpace(e.said) + " (" + e.err.Error() + ")" }
func (e *toolError) Unwrap() error { return e.err }

// runtimeObjects compiles the embedded runtime; their headers are part of the text.
func (b *builder) runtimeTexts() map[string]string {
	files := cppFiles()
	heads := map[string]string{}
	for path, text := range files {
		if name, ok := strings.CutPrefix(path, "src/"); ok && strings.HasSuffix(name, ".h") {
			heads[name] = text
		}
	}
	out := map[string]string{}
	for path, text := range files {
		name, ok := strings.CutPrefix(path, "src/")
		if !ok || !strings.HasSuffix(name, ".cpp") {
			continue
		}
		out[name] = inline(text, heads, map[string]bool{})
	}
	return out
}

// inline puts the runtime's own headers into the text, each once.
func inline(text string, heads map[string]string, done map[string]bool) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), `#include "`)
		head, own := heads[strings.TrimSuffix(name, `"`)]
		switch {
		case !ok || !own:
			b.WriteString(line)
		case !done[name]:
			done[name] = true
			b.WriteString(inline(head, heads, done))
		}
	}
	return b.String()
}

// unit is one translation unit of kernels for one pass.
type unit struct {
	pass    int
	kernels []Source
	tasks   []task
}

// text puts each kernel into a namespace of its own, so that helpers do not meet, and registers it.
func (u unit) text() string {
	var b strings.Builder
	b.WriteString("#include \"kernel_operator.h\"\n")
	for i, k := range u.kernels {
		entry := k.Name + suffix(u.pass)
		fmt.Fprintf(&b, "namespace kernel_%s {\n#define %s %s\n#line 1 \"%s.cpp\"\n", entry, k.Name,
			entry, k.Name)
		b.WriteString(k.Text)
		fmt.Fprintf(&b, "\n#line 1 \"register\"\n#undef %s\n", k.Name)
		fmt.Fprintf(&b, "inline emu::Kernel registration(\"%s\", %d, %d, &emu::Bind<&%s>::call, ",
			k.Name, u.pass, u.tasks[i], entry)
		fmt.Fprintf(&b, "emu::Bind<&%s>::args, emu::Bind<&%s>::count);\n}\n", entry, entry)
	}
	return b.String()
}

func suffix(pass int) string { return [...]string{"", "__aic", "__aiv"}[pass] }

// units groups kernels by pass, in the order given.
func units(kernels []Source, kinds []task) []unit {
	var out []unit
	for pass := range 3 {
		u := unit{pass: pass}
		for i, k := range kernels {
			if !slices.Contains(kinds[i].passes(), pass) {
				continue
			}
			if len(u.kernels) == groupSize {
				out, u = append(out, u), unit{pass: pass}
			}
			u.kernels, u.tasks = append(u.kernels, k), append(u.tasks, kinds[i])
		}
		if len(u.kernels) > 0 {
			out = append(out, u)
		}
	}
	return out
}

// kernelFlags refuse what the device compiler refuses.
func (b *builder) kernelFlags(pass int) []string {
	frame := map[int]string{200: "16000", 220: "32768"}[b.macro]
	flags := []string{
		"-O2", "-fno-exceptions", "-fno-rtti", "-nostdinc++", "-fmax-errors=40",
		"-fdiagnostics-color=never",
		"-Werror=return-type", "-Werror=narrowing", "-Werror=vla", "-Werror=double-promotion",
		"-Werror=frame-larger-than=" + frame, "-Wno-attributes",
	}
	if b.tools.clang {
		flags = slices.DeleteFunc(flags, func(f string) bool { return f == "-fmax-errors=40" })
		flags = append(flags, "-Wframe-larger-than="+frame)
	}
	if b.macro == 200 && !b.tools.clang {
		flags = append(flags, wantDump)
	}
	switch pass {
	case 1:
		flags = append(flags, "-D__DAV_C220_CUBE__")
	case 2:
		flags = append(flags, "-D__DAV_C220_VEC__")
	}
	return flags
}

func (b *builder) compileUnit(ctx context.Context, u unit) (string, error) {
	path, err := b.object(ctx, u.text(), "kernels.cpp", b.kernelFlags(u.pass)...)
	if said, ok := err.(*toolError); ok {
		return "", &CompileError{diagnostics(said.said, u)}
	}
	return path, err
}

// executable links kernels and runtime.
func (b *builder) executable(ctx context.Context, us []unit) (string, error) {
	texts := b.runtimeTexts()
	names := make([]string, 0, len(texts))
	for name := range texts {
		names = append(names, name)
	}
	slices.Sort(names)
	jobs := make([]func(context.Context) (string, error), 0, len(us)+len(names))
	for _, u := range us {
		jobs = append(jobs, func(ctx context.Context) (string, error) { return b.compileUnit(ctx, u) })
	}
	for _, name := range names {
		jobs = append(jobs, func(ctx context.Context) (string, error) {
			return b.object(ctx, texts[name], name, "-O3", "-Wall", "-Wextra")
		})
	}
	objects, err := parallel(ctx, jobs)
	if err != nil {
		return "", err
	}
	return b.store.make(hash(objects...)+".exe", func(scratch string) (string, error) {
		out := filepath.Join(scratch, "kernels")
		said, err := b.tools.run(ctx, append([]string{"-o", out}, objects...)...)
		if err != nil {
			return "", fmt.Errorf("link kernels: %w", &toolError{said, err})
		}
		return out, nil
	})
}

// parallel runs jobs on all processors and returns their results in order. The error is that of the
// first job in order that failed; jobs that have not started by then are left out.
func parallel(ctx context.Context, jobs []func(context.Context) (string, error)) ([]string, error) {
	results, errs := make([]string, len(jobs)), make([]error, len(jobs))
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.NumCPU(), len(jobs)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(jobs)) && failed.Load() == 0; i = next.Add(1) - 1 {
				if results[i], errs[i] = jobs[i](ctx); errs[i] != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}
