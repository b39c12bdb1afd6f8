package safetensors

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	extension      = ".safetensors"
	indexExtension = extension + ".index.json"
	defaultIndex   = "model" + indexExtension
)

// A folder is what a checkpoint's folder offers: the shards' names, and the index if there is one.
type folder struct {
	shards []string // sorted
	index  *index
}

// survey finds the shards in dir, through the index where there is one.
func survey(dir string) (folder, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return folder{}, &Error{File: dir, Reason: "cannot read the checkpoint folder", Err: err}
	}
	var names []string // sorted, as ReadDir gives them
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	shards := withSuffix(names, extension)
	name, err := pickIndex(dir, withSuffix(names, indexExtension), len(shards))
	if err != nil {
		return folder{}, err
	}
	if name == "" {
		return folder{shards: shards}, checkShards(dir, names, shards)
	}
	ix, err := readIndex(filepath.Join(dir, name))
	if err != nil {
		return folder{}, err
	}
	return folder{shards: ix.shardSet, index: &ix}, ix.checkFiles(dir)
}

func withSuffix(names []string, suffix string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !strings.HasSuffix(name, suffix)
	})
}

// pickIndex prefers the usual name; an index of another name counts if it is the only one.
func pickIndex(dir string, candidates []string, shards int) (string, error) {
	switch {
	case slices.Contains(candidates, defaultIndex):
		return defaultIndex, nil
	case len(candidates) == 1:
		return candidates[0], nil
	case len(candidates) > 1 && shards > 0:
		return "", &Error{File: dir, Hint: "keep one checkpoint per folder", Reason: fmt.Sprintf(
			"several indexes: %s", strings.Join(candidates, ", "))}
	}
	return "", nil
}

// checkShards checks shards that no index lists.
func checkShards(dir string, names, shards []string) error {
	switch {
	case len(shards) > maxShards:
		return &Error{File: dir, Hint: "keep one checkpoint per folder", Reason: fmt.Sprintf(
			"%d shards, at most %d are possible", len(shards), maxShards)}
	case len(shards) > 0:
		return checkSet(shards)
	case len(withSuffix(names, ".bin")) > 0:
		return &Error{File: dir, Reason: "no .safetensors file, only .bin files",
			Hint: "save the model as safetensors first"}
	}
	return &Error{File: dir, Reason: "no .safetensors file",
		Hint: "give the folder that holds model.safetensors, or model-00001-of-0000N.safetensors " +
			"and the other shards with " + defaultIndex}
}

var numbered = regexp.MustCompile(`^(.*-)(\d{5})-of-(\d{5})\.safetensors$`)

// checkSet checks that shards which count themselves are all there.
func checkSet(shards []string) error {
	for _, shard := range shards {
		part := numbered.FindStringSubmatch(shard)
		if part == nil {
			continue
		}
		count, _ := strconv.Atoi(part[3]) // five digits
		for i := 1; i <= min(count, maxShards); i++ {
			want := fmt.Sprintf("%s%05d-of-%s%s", part[1], i, part[3], extension)
			if _, ok := slices.BinarySearch(shards, want); !ok {
				return &Error{File: shard, Hint: "download the missing shard",
					Reason: fmt.Sprintf("it is one of %d shards but %s is not in the folder", count, want)}
			}
		}
		return nil
	}
	return nil
}
