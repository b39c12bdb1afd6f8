package safetensors

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

const (
	maxIndex  = 100_000_000 // bytes; the largest published indexes have about 10 MB
	maxShards = 10_000
)

// An index says which shard holds each tensor.
type index struct {
	file     string
	places   []placement // by tensor name
	shardSet []string    // sorted
}

type placement struct{ tensor, shard string }

// readIndex reads the index file at path.
func readIndex(path string) (index, error) {
	file := filepath.Base(path)
	f, size, err := openRegular(path)
	if err != nil {
		return index{}, err
	}
	defer f.Close()
	if size > maxIndex {
		return index{}, &Error{File: file, Hint: hintDamaged, Reason: fmt.Sprintf(
			"file has %d bytes, an index has at most %d", size, maxIndex)}
	}
	text, err := io.ReadAll(io.LimitReader(f, size))
	if err != nil {
		return index{}, &Error{File: file, Reason: "cannot read the index", Err: err}
	}
	return parseIndex(file, text)
}

func parseIndex(file string, text []byte) (index, error) {
	ix := index{file: file}
	found := false
	err := scanDocument(file, "index", 0, text, func(s *scanner, key string) error {
		if key != "weight_map" {
			return s.skip()
		}
		found = true
		return s.object("", func(tensor string) error { return s.placement(&ix, tensor) })
	})
	if err != nil {
		return index{}, err
	}
	if !found {
		return index{}, &Error{File: file, Reason: "index has no weight_map", Hint: hintDamaged}
	}
	return ix, ix.sort()
}

func (s *scanner) placement(ix *index, tensor string) error {
	shard, err := s.str(tensor)
	if err != nil {
		return err
	}
	// The name comes from the file and becomes a path, so it must stay inside the folder.
	bad := strings.ContainsFunc(shard, func(r rune) bool {
		return r == '/' || r == '\\' || r == ':' || !unicode.IsPrint(r)
	})
	if bad || strings.HasPrefix(shard, ".") || !strings.HasSuffix(shard, extension) {
		return s.fail(tensor, fmt.Sprintf("%s is not the name of a shard in this folder", quote(shard)))
	}
	ix.places = append(ix.places, placement{tensor, shard})
	return nil
}

func (ix *index) sort() error {
	slices.SortFunc(ix.places, func(a, b placement) int { return cmp.Compare(a.tensor, b.tensor) })
	for _, p := range ix.places {
		ix.shardSet = append(ix.shardSet, p.shard)
	}
	slices.Sort(ix.shardSet)
	ix.shardSet = slices.Compact(ix.shardSet)
	switch n := len(ix.shardSet); {
	case n == 0:
		return &Error{File: ix.file, Reason: "weight_map names no tensor", Hint: hintDamaged}
	case n > maxShards:
		return &Error{File: ix.file, Hint: hintDamaged, Reason: fmt.Sprintf(
			"weight_map names %d shards, at most %d are possible", n, maxShards)}
	}
	return nil
}

// checkFiles checks that every shard that the index names is in the folder.
func (ix *index) checkFiles(dir string) error {
	for _, shard := range ix.shardSet {
		if _, err := os.Stat(filepath.Join(dir, shard)); err != nil {
			i := slices.IndexFunc(ix.places, func(p placement) bool { return p.shard == shard })
			return &Error{File: ix.file, Tensor: ix.places[i].tensor,
				Reason: fmt.Sprintf("weight_map names %s, which is not in the folder", shard),
				Hint:   "download the missing shard"}
		}
	}
	return nil
}

// match checks that index and shard headers place every tensor alike; names are the sorted names
// of all that the shards hold.
func (ix *index) match(names []string, tensors map[string]Tensor) error {
	for _, p := range ix.places {
		t, ok := tensors[p.tensor]
		reason := ""
		switch {
		case !ok:
			reason = fmt.Sprintf("weight_map places it in %s but no shard holds it", p.shard)
		case t.Shard != p.shard:
			reason = fmt.Sprintf("weight_map places it in %s but %s holds it", p.shard, t.Shard)
		default:
			continue
		}
		return &Error{File: ix.file, Tensor: p.tensor, Reason: reason, Hint: hintIndex}
	}
	for _, name := range names {
		_, ok := slices.BinarySearchFunc(ix.places, name, func(p placement, name string) int {
			return cmp.Compare(p.tensor, name)
		})
		if !ok {
			return &Error{File: tensors[name].Shard, Tensor: name, Hint: hintIndex,
				Reason: fmt.Sprintf("the weight_map of %s does not name it", ix.file)}
		}
	}
	return nil
}
