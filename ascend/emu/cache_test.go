package emu

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Many users of one folder get the same complete file, and it is built at most once each.
func TestStoreIsSafeForMany(t *testing.T) {
	s := store{dir: t.TempDir()}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			path, err := s.make("x.o", func(scratch string) (string, error) {
				made := filepath.Join(scratch, "made")
				return made, os.WriteFile(made, []byte("whole"), 0o644)
			})
			if data, _ := os.ReadFile(path); err != nil || string(data) != "whole" {
				t.Errorf("got %q: %v", data, err)
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(s.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left: %v", len(entries), err)
	}
}

func TestPruneRemovesOldFiles(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{"old": keepFor + time.Hour, "new": time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	prune(dir, now)
	if _, err := os.Stat(filepath.Join(dir, "old")); err == nil {
		t.Error("an old file stays")
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
}

func TestKeysDependOnEveryPart(t *testing.T) {
	if hash("ab", "c") == hash("a", "bc") || hash("a") == hash("a", "") {
		t.Error("parts run into each other")
	}
}
