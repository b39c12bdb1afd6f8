package faultfs

import (
	"errors"
	"io"
	"maps"
	"strings"
	"syscall"
	"testing"

	"moge/formats/durable"
)

func ok(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// half is a disk with synced and unsynced content and entries.
func half(t *testing.T) *FS {
	t.Helper()
	f := New()
	ok(t, f.Mkdir("d"), durable.WriteFileSync(f, "d/old", []byte("aaaa")))
	ok(t, durable.WriteFileSync(f, "d/gone", []byte("x")))
	ok(t, f.SyncDir("d"), f.SyncDir("/"))
	h, err := f.OpenWrite("d/old")
	ok(t, err)
	_, err = h.WriteAt([]byte("bb"), 1)
	ok(t, err)
	ok(t, durable.WriteFileSync(f, "d/new", []byte("cc")), f.Remove("d/gone"))
	return f
}

func TestRecover(t *testing.T) {
	dropped := map[string]string{"d/": "", "d/old": "aaaa", "d/gone": "x"}
	cases := map[Mode]map[string]string{
		Drop:      dropped,
		Keep:      {"d/": "", "d/old": "abba", "d/new": "cc"},
		KeepNames: {"d/": "", "d/old": "aaaa", "d/new": "cc"},
		KeepData:  {"d/": "", "d/old": "abba", "d/gone": "x"},
	}
	for mode, want := range cases {
		if got := half(t).Recover(mode, 0).Snapshot(""); !maps.Equal(got, want) {
			t.Errorf("%v: %v, want %v", mode, got, want)
		}
	}
	again := half(t).Recover(Keep, 0).Recover(Drop, 0).Snapshot("")
	if !maps.Equal(again, cases[Keep]) {
		t.Errorf("what a recovery kept is not on disk: %v", again)
	}
}

// Torn keeps each entry change whole, tears writes at sectors or as a prefix, and over the seeds
// shows every outcome.
func TestTorn(t *testing.T) {
	const sectors = 3
	whole := strings.Repeat("x", sectors*sectorBytes)
	seen := map[string]bool{}
	names := map[bool]int{}
	for seed := range uint64(400) {
		f := New()
		h, err := f.Create("f")
		ok(t, err)
		ok(t, h.Truncate(int64(len(whole))), h.Sync(), f.SyncDir(""))
		_, err = h.WriteAt([]byte(whole), 0)
		ok(t, err, f.Rename("f", "g"))
		after := f.Recover(Torn, seed).Snapshot("")
		data, renamed := after["g"]
		if _, kept := after["f"]; kept == renamed {
			t.Fatalf("seed %d: a rename happened by half: %v", seed, len(after))
		} else if kept {
			data = after["f"]
		}
		names[renamed]++
		pattern := ""
		for i := range sectors {
			sector := data[i*sectorBytes : (i+1)*sectorBytes]
			pattern += string("01"[strings.Count(sector, "x")/sectorBytes])
		}
		seen[pattern] = true
		first, again := half(t).Recover(Torn, seed), half(t).Recover(Torn, seed)
		if !maps.Equal(first.Snapshot(""), again.Snapshot("")) {
			t.Fatalf("seed %d is not reproducible", seed)
		}
	}
	if len(seen) != 8 || len(names) != 2 {
		t.Errorf("patterns %v, renames %v", seen, names)
	}
}

func TestCrashStopsEverything(t *testing.T) {
	f := New()
	h, err := f.Create("f")
	ok(t, err)
	f.CrashAt(2)
	if _, err := h.ReadAt(nil, 0); errors.Is(err, ErrCrash) {
		t.Error("crashed too early")
	}
	_, writeErr := h.WriteAt([]byte("x"), 0)
	_, readErr := h.ReadAt(make([]byte, 1), 0)
	_, statErr := f.Stat("f")
	_, lockErr := f.Lock("l")
	_, openErr := f.Open("f")
	for i, err := range []error{writeErr, readErr, statErr, lockErr, openErr, h.Sync(), h.Truncate(0),
		f.Mkdir("d"), f.Remove("f"), f.Rename("f", "g"), f.SyncDir(""), f.RemoveAll("f")} {
		if !errors.Is(err, ErrCrash) {
			t.Errorf("operation %d after the crash: %v", i, err)
		}
	}
	if got := f.Recover(Keep, 0).Snapshot(""); got["f"] != "" || len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestFaults(t *testing.T) {
	f := New()
	h, err := f.Create("f")
	ok(t, err)
	f.FailAt(2, syscall.EIO)
	f.ShortWriteAt(3)
	if _, err := h.WriteAt([]byte("abcd"), 0); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if n, err := h.WriteAt([]byte("abcd"), 0); n != 2 || !errors.Is(err, io.ErrShortWrite) {
		t.Error(n, err)
	}
	f.SetSpace(3)
	if n, err := h.WriteAt([]byte("abcdefgh"), 0); n != 5 || !errors.Is(err, syscall.ENOSPC) {
		t.Error(n, err)
	}
	if n, err := h.WriteAt([]byte("ABCDE"), 0); n != 5 || err != nil {
		t.Errorf("overwriting needs no space: %d, %v", n, err)
	}
	if err := h.Truncate(6); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if got := f.Snapshot("")["f"]; got != "ABCDE" || f.Ops() != 6 {
		t.Errorf("%q after %d operations", got, f.Ops())
	}
}
