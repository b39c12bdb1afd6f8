package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"moge/formats/bundle/bundlepb"
	"moge/formats/durable"
)

// SmallFile is a file of the bundle that is held in memory: tokenizer, kernels, report.
type SmallFile struct {
	Path string // below the bundle, slash-separated
	Data []byte
}

// Job is a bundle to be written.
type Job struct {
	// Out is the directory NAME.moge that appears when everything is complete.
	Out string
	// Key identifies everything that determines the bytes: source digests, flags, version.
	Key [32]byte
	// Describe tells a user what Key stands for, in one line; it is shown when a resume is
	// refused.
	Describe string
	// Manifest has everything but the hashes of sections, files and the job key, which the
	// Writer fills in a copy. Layout gives sections their sizes and offsets.
	Manifest *bundlepb.Manifest
	// Files are written as they are; their order does not matter.
	Files []SmallFile
}

// Options are choices that do not change the bytes.
type Options struct {
	// Resume goes on with what an interrupted job left; without such, it starts afresh.
	Resume bool
	// Force replaces an existing output, when the new one is complete.
	Force bool
	// ChunkBytes is the largest chunk that Pending gives; 0 is 16 MiB.
	ChunkBytes int64
	// SyncBytes is how much written data may wait for its sync, and so be lost by a crash;
	// 0 is ChunkBytes.
	SyncBytes int64
}

// Chunk is a range of bytes of one section of one rank.
type Chunk struct {
	Rank, Section int
	Offset, Size  int64 // bytes from the start of the section
}

const defaultChunk = 16 << 20

func (o Options) withDefaults() Options {
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = defaultChunk
	}
	if o.SyncBytes <= 0 {
		o.SyncBytes = o.ChunkBytes
	}
	return o
}

// prepare validates the job and returns it with a manifest of its own that lists the files.
func (j Job) prepare() (Job, error) {
	j.Out = filepath.Clean(j.Out)
	j.Manifest = proto.CloneOf(j.Manifest)
	if j.Manifest.GetProvenance() == nil || len(j.Manifest.Files) > 0 {
		return j, invalid("", -1, "the manifest of a job has provenance and lists no files")
	}
	j.Manifest.Provenance.JobKey = j.Key[:]
	j.Files = slices.Clone(j.Files)
	slices.SortFunc(j.Files, func(a, b SmallFile) int { return strings.Compare(a.Path, b.Path) })
	for _, f := range j.Files {
		sum := sha256.Sum256(f.Data)
		j.Manifest.Files = append(j.Manifest.Files,
			&bundlepb.File{Path: f.Path, Size: int64(len(f.Data)), Sha256: sum[:]})
	}
	for _, r := range j.Manifest.Ranks {
		for _, s := range r.Sections {
			s.Sha256 = nil
		}
	}
	return j, Validate(j.Manifest, false)
}

// digest identifies the job together with the layout it was given: chunks of a partial bundle
// may be kept only if they mean the same bytes in the same place.
func (j Job) digest() ([sha256.Size]byte, error) {
	manifest, err := Marshal(j.Manifest)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	h := sha256.New()
	h.Write(j.Key[:])
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(manifest))))
	h.Write(manifest)
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// bytes is the size of the complete bundle without its manifest.
func (j Job) bytes() int64 {
	var n int64
	for _, r := range j.Manifest.Ranks {
		n += r.Size
	}
	for _, f := range j.Manifest.Files {
		n += f.Size
	}
	return n
}

// Create starts or resumes the writing of a bundle. Nothing is written before the job, the
// names and the free space have been checked. The error is an *Error that wraps ErrExists,
// ErrLocked, ErrChanged or ErrSpace, says that a partial directory is damaged, or is the
// system's. Resuming reads every finished chunk once, to check it; ctx stops that, and also
// Put and Finish later.
func Create(ctx context.Context, fsys durable.FS, job Job, opts Options) (*Writer, error) {
	job, err := job.prepare()
	if err != nil {
		return nil, err
	}
	digest, err := job.digest()
	if err != nil {
		return nil, err
	}
	w := &Writer{ctx: ctx, fs: fsys, job: job, opts: opts.withDefaults(), digest: digest}
	w.partial = job.Out + partialSuffix
	if err := w.lock(); err != nil {
		return nil, err
	}
	if err := w.begin(); err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}
