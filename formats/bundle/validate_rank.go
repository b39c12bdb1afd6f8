package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"moge/formats/bundle/bundlepb"
)

const (
	weightsDir = "weights"
	maxRanks   = 1 << 10
)

// RankFile is the path of a rank's weights below the bundle.
func RankFile(rank int) string { return fmt.Sprintf("%s/rank-%02d.bin", weightsDir, rank) }

func validateRanks(ranks []*bundlepb.Rank, hashes bool) error {
	if len(ranks) == 0 || len(ranks) > maxRanks {
		return invalid("", -1, "%d ranks, want 1 to %d", len(ranks), maxRanks)
	}
	for i, r := range ranks {
		where := fmt.Sprintf("ranks[%d]", i)
		if int64(r.Index) != int64(i) || r.File != RankFile(i) {
			return invalid("", -1, "%s: index %d, file %.64q, want %q", where, r.Index, r.File, RankFile(i))
		}
		if err := validateTable(where, r, hashes); err != nil {
			return err
		}
		if err := sameTable(where, ranks[0], r); err != nil {
			return err
		}
	}
	return nil
}

// sameTable checks that one plan fits both ranks: only hashes may differ.
func sameTable(where string, first, r *bundlepb.Rank) error {
	if len(first.Sections) != len(r.Sections) {
		return invalid("", -1, "%s: %d sections, ranks[0] has %d", where,
			len(r.Sections), len(first.Sections))
	}
	for i, s := range r.Sections {
		if f := first.Sections[i]; f.Name != s.Name || f.Offset != s.Offset || !sameTensor(f, s) {
			return invalid("", -1, "%s.sections[%d]: %q differs from %q of ranks[0] in name, "+
				"dtype, shape, layout or offset", where, i, s.Name, f.Name)
		}
	}
	return nil
}

func sameTensor(a, b *bundlepb.Section) bool {
	return a.Dtype == b.Dtype && a.Layout == b.Layout && slices.Equal(a.Shape, b.Shape)
}

func validateTable(where string, r *bundlepb.Rank, hashes bool) error {
	names := map[string]bool{}
	stored := map[int64]*bundlepb.Section{}
	var end int64
	for i, s := range r.Sections {
		at := fmt.Sprintf("%s.sections[%d]", where, i)
		if err := validateName(at, s.Name, names); err != nil {
			return err
		}
		if err := validateSection(at, s, hashes); err != nil {
			return err
		}
		if first := stored[s.Offset]; first != nil {
			if !sameTensor(first, s) || !bytes.Equal(first.Sha256, s.Sha256) {
				return invalid("", -1, "%s: %q shares the bytes of %q but not its type, shape or hash",
					at, s.Name, first.Name)
			}
			continue
		}
		if s.Offset < end {
			return invalid("", -1, "%s: %q at byte %d overlaps what ends at byte %d",
				at, s.Name, s.Offset, end)
		}
		stored[s.Offset], end = s, s.Offset+s.Size
	}
	if r.Size != end {
		return invalid("", -1, "%s: size %d, but the last section ends at byte %d", where, r.Size, end)
	}
	return nil
}

func validateSection(at string, s *bundlepb.Section, hashes bool) error {
	size, err := SectionSize(DType(s.Dtype), s.Shape, s.Layout)
	if err != nil {
		return invalid("", -1, "%s: %q: %v", at, s.Name, err)
	}
	if s.Size != size {
		return invalid("", -1, "%s: %q has %d bytes, its type, shape and layout need %d",
			at, s.Name, s.Size, size)
	}
	if s.Offset < 0 || s.Offset%Align != 0 || s.Offset > maxBytes-size {
		return invalid("", -1, "%s: %q has the offset %d", at, s.Name, s.Offset)
	}
	if len(s.Sha256) != sha256.Size && (hashes || len(s.Sha256) != 0) {
		return invalid("", -1, "%s: %q has no sha256", at, s.Name)
	}
	return nil
}
