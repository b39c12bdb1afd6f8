package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"moge/formats/bundle"
	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
)

// scriptCommands are what scripts can do beside the built-in commands:
//
//	fails CODE MESSAGE PROGRAM ARG...   the exit code, and standard error as a whole; in the
//	                                    message # is a number that the layout decides
//	copytree FROM TO
//	sametree A B
//	replace FILE OLD NEW                all occurrences; at least one
//	header FILE OLD NEW                 the same in the JSON of a safetensors header
//	length FILE N                       length field of a safetensors header
//	put FILE OFFSET HEX                 bytes
//	flip FILE OFFSET                    one bit; a negative offset counts from the end
//	flipsection BUNDLE NAME             one bit in the weights
//	cut FILE N                          the last N bytes go
//	newer MANIFEST                      a valid manifest of the next format version
//	unplan MANIFEST                     a valid manifest whose first launch lacks its scalars
//	lock PATH                           until the script ends
//	empty                               standard output is empty
//	code CODE PROGRAM ARG...            the exit code alone
//	near A B TENSOR BOUND               float32 tensors of two safetensors files
//	golden write|check FILE             one-line texts of the golden tokenizer file; and their ids
//	leftovers DIR                       the folder is empty
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"fails": fails,
	"copytree": func(ts *testscript.TestScript, _ bool, a []string) {
		copyTree(ts, ts.MkAbs(a[0]), ts.MkAbs(a[1]))
	},
	"sametree": sameTree,
	"replace": edit(func(data []byte, a []string) ([]byte, error) {
		return replaced(data, a[0], a[1])
	}),
	"header":      edit(editHeader),
	"length":      edit(editLength),
	"put":         edit(putBytes),
	"flip":        edit(flipBit),
	"flipsection": flipSection,
	"cut": edit(func(data []byte, a []string) ([]byte, error) {
		return data[:len(data)-number(a[0])], nil
	}),
	"newer":  edit(newerManifest),
	"unplan": edit(withoutScalars),
	"lock":   lockPath,
	"code": func(ts *testscript.TestScript, _ bool, a []string) {
		wantCode(ts, number(a[0]), a[1:])
	},
	"near":   near,
	"golden": golden,
	"leftovers": func(ts *testscript.TestScript, _ bool, a []string) {
		list, err := os.ReadDir(ts.MkAbs(a[0]))
		ts.Check(err)
		if len(list) > 0 {
			ts.Fatalf("%s holds %v", a[0], list)
		}
	},
	"empty": func(ts *testscript.TestScript, _ bool, _ []string) {
		if out := ts.ReadFile("stdout"); out != "" {
			ts.Fatalf("standard output is not empty: %q", out)
		}
	},
}

func fails(ts *testscript.TestScript, _ bool, args []string) {
	message := args[1]
	wantCode(ts, number(args[0]), args[2:])
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(message), "#", `[0-9.]+`) + "$"
	got := strings.TrimSuffix(ts.ReadFile("stderr"), "\n")
	if !regexp.MustCompile(pattern).MatchString(got) {
		ts.Fatalf("standard error\n%s\nwant\n%s", got, message)
	}
}

func wantCode(ts *testscript.TestScript, want int, command []string) {
	err := ts.Exec(command[0], command[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("want exit code %d, got %v", want, err)
	}
	if got := exit.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d; standard error:\n%s", got, want, ts.ReadFile("stderr"))
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func copyTree(ts *testscript.TestScript, from, to string) {
	ts.Check(filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			if d.Name() == "golden" {
				return fs.SkipDir
			}
			return os.MkdirAll(target, 0o777)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o666)
	}))
}

func sameTree(ts *testscript.TestScript, neg bool, args []string) {
	a, b := treeText(ts, ts.MkAbs(args[0])), treeText(ts, ts.MkAbs(args[1]))
	if (a == b) == neg {
		ts.Fatalf("trees %s and %s: equal is %v", args[0], args[1], a == b)
	}
}

// treeText lists the files of a tree with their digests.
func treeText(ts *testscript.TestScript, dir string) string {
	var text strings.Builder
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&text, "%s %x\n", strings.TrimPrefix(path, dir), sha256.Sum256(data))
		return err
	}))
	return text.String()
}

// edit makes a command that changes a file.
func edit(change func(data []byte, args []string) ([]byte, error)) func(*testscript.TestScript,
	bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		path := ts.MkAbs(args[0])
		data, err := os.ReadFile(path)
		ts.Check(err)
		data, err = change(data, args[1:])
		ts.Check(err)
		ts.Check(os.WriteFile(path, data, 0o666))
	}
}

func replaced(data []byte, old, with string) ([]byte, error) {
	if !bytes.Contains(data, []byte(old)) {
		return nil, fmt.Errorf("%q is not there", old)
	}
	return bytes.ReplaceAll(data, []byte(old), []byte(with)), nil
}

func editHeader(data []byte, args []string) ([]byte, error) {
	n := binary.LittleEndian.Uint64(data)
	text, err := replaced(data[8:8+n], args[0], args[1])
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), data[8+n:]...), nil
}

func editLength(data []byte, args []string) ([]byte, error) {
	binary.LittleEndian.PutUint64(data, uint64(number(args[0])))
	return data, nil
}

func putBytes(data []byte, args []string) ([]byte, error) {
	var raw []byte
	if _, err := fmt.Sscanf(args[1], "%x", &raw); err != nil {
		return nil, err
	}
	copy(data[place(data, args[0]):], raw)
	return data, nil
}

func flipBit(data []byte, args []string) ([]byte, error) {
	data[place(data, args[0])] ^= 0x10
	return data, nil
}

func flipSection(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	raw, err := os.ReadFile(filepath.Join(dir, bundle.ManifestName))
	ts.Check(err)
	var m bundlepb.Manifest
	ts.Check(proto.Unmarshal(raw[56:], &m))
	for _, s := range m.Ranks[0].Sections {
		if s.Name == args[1] {
			path := filepath.Join(dir, m.Ranks[0].File)
			edit(flipBit)(ts, false, []string{path, strconv.FormatInt(s.Offset+s.Size/2, 10)})
			return
		}
	}
	ts.Fatalf("no section %s", args[1])
}

// place is an offset, from the end if it is negative.
func place(data []byte, text string) int {
	at := number(text)
	if at < 0 {
		at += len(data)
	}
	return at
}

// newerManifest raises the version in the header, whose checksum covers it; see
// formats/bundle/envelope.go.
func newerManifest(data []byte, _ []string) ([]byte, error) {
	binary.LittleEndian.PutUint32(data[8:], 99)
	return sealed(data), nil
}

// sealed makes length and checksum of a manifest fit.
func sealed(data []byte) []byte {
	binary.LittleEndian.PutUint64(data[16:], uint64(len(data)-56))
	sum := sha256.Sum256(append(bytes.Clone(data[:24]), data[56:]...))
	copy(data[24:], sum[:])
	return data
}

// withoutScalars takes the attributes from the first launch, and makes the checksum fit.
func withoutScalars(data []byte, _ []string) ([]byte, error) {
	m := new(bundlepb.Manifest)
	if err := proto.Unmarshal(data[56:], m); err != nil {
		return nil, err
	}
	for _, s := range m.Programs[0].Steps {
		if s.Op == bundlepb.OpCode_LAUNCH {
			s.Attrs = nil
			break
		}
	}
	payload, err := bundle.Marshal(m)
	if err != nil {
		return nil, err
	}
	return sealed(append(data[:56:56], payload...)), nil
}

func lockPath(ts *testscript.TestScript, _ bool, args []string) {
	unlock, err := durable.OS().Lock(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(unlock()) })
}
