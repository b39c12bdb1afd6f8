package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"moge/formats/bundle/bundlepb"
	"moge/ir"
)

// Provenance travels in the graph's meta, so that quantizing and compiling in one step or in
// two record the same: a source file under "source.NAME" as its size and SHA-256, the
// statistics of calibration under "calibration", a setting under "config.NAME".
const (
	sourcePrefix   = "source."
	configPrefix   = "config."
	calibrationKey = "calibration"
)

// describeSources hashes the files of a checkpoint into the meta of g. What Quantize wrote
// carries those of its origin already.
func (m *Model) describeSources(ctx context.Context, g *ir.Graph, workers int,
	progress func(done, total int64)) error {
	if m.Quantized {
		return nil
	}
	shards := m.Tensors.Shards()
	sums := make([][32]byte, len(shards))
	meter := newMeter(progress)
	for _, s := range shards {
		meter.total += s.Size
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, workers))
	for i, s := range shards {
		group.Go(func() (err error) {
			sums[i], err = m.Tensors.Digest(ctx, s, meter.add)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, s := range shards {
		g.SetMeta(sourcePrefix+s.Name, source(s.Size, sums[i]))
	}
	return m.describeSmall(g)
}

// describeSmall hashes the configuration and the tokenizer's files.
func (m *Model) describeSmall(g *ir.Graph) error {
	for _, name := range []string{"config.json", "generation_config.json"} {
		data, err := os.ReadFile(filepath.Join(m.Dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		g.SetMeta(sourcePrefix+name, source(int64(len(data)), sha256.Sum256(data)))
	}
	for _, f := range m.Files {
		g.SetMeta(sourcePrefix+f.Path, source(int64(len(f.Data)), sha256.Sum256(f.Data)))
	}
	return nil
}

func source(size int64, sum [32]byte) string { return fmt.Sprintf("%d %x", size, sum) }

// provenance reads the meta back into the manifest's form; entries of the meta are sorted.
func provenance(g *ir.Graph, version string) (*bundlepb.Provenance, error) {
	p := &bundlepb.Provenance{ToolVersion: version}
	for _, entry := range g.Meta {
		if entry.Key == calibrationKey {
			sum, err := hex.DecodeString(entry.Value)
			if err != nil || len(sum) != sha256.Size {
				return nil, fmt.Errorf("meta %s is not a SHA-256", entry.Key)
			}
			p.CalibrationSha256 = sum
		}
		name, ok := strings.CutPrefix(entry.Key, sourcePrefix)
		if !ok {
			continue
		}
		size, digest, _ := strings.Cut(entry.Value, " ")
		n, err := strconv.ParseInt(size, 10, 64)
		sum, err2 := hex.DecodeString(digest)
		if err != nil || err2 != nil || len(sum) != sha256.Size || n < 0 {
			return nil, fmt.Errorf("meta %s is not a size and a SHA-256", entry.Key)
		}
		p.Sources = append(p.Sources, &bundlepb.File{Path: name, Size: n, Sha256: sum})
	}
	return p, nil
}
