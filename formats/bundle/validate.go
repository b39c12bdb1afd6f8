package bundle

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"

	"moge/formats/bundle/bundlepb"
)

// Validate checks everything about a manifest that needs no file: versions, names, indexes,
// bounds, alignment, overlaps, sizes, degrees. It does not know what operands an op-code takes. With
// hashes false the SHA-256 fields of sections and the table of files may be empty, as they are
// before a Writer fills them in. The error is an *Error without a path whose reason starts with the place.
func Validate(m *bundlepb.Manifest, hashes bool) error {
	if m.GetFormatVersion() < 1 || m.FormatVersion > FormatVersion {
		return invalid("", -1, "format version %d, this build knows 1 to %d",
			m.GetFormatVersion(), FormatVersion)
	}
	checks := []func() error{
		func() error { return validateFacts(m) },
		func() error { return validateFiles(m.Files) },
		func() error { return validateRanks(m.Ranks, hashes) },
		func() error { return validatePlacement(m) },
		func() error { return validatePrograms(m) },
		func() error { return validateKernels(m, hashes) },
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

const maxName = 1024 // bytes

func validateFacts(m *bundlepb.Manifest) error {
	if m.Model == nil || m.Provenance == nil {
		return invalid("", -1, "manifest without model or provenance")
	}
	if err := nonNegative(m.Model); err != nil {
		return err
	}
	if len(m.Targets) == 0 {
		return invalid("", -1, "manifest without targets")
	}
	seen := map[string]bool{}
	for i, t := range m.Targets {
		if err := validateName(fmt.Sprintf("targets[%d]", i), t, seen); err != nil {
			return err
		}
	}
	last := ""
	for i, kv := range m.Config {
		if kv.Key <= last {
			return invalid("", -1, "config[%d]: keys are not sorted, unique and non-empty", i)
		}
		last = kv.Key
	}
	return validateProvenance(m.Provenance)
}

func nonNegative(m *bundlepb.Model) error {
	for _, v := range []int64{m.VocabSize, m.HiddenSize, m.Layers, m.Context, m.Experts,
		m.ExpertsPerToken, m.Groups, m.ParametersTotal, m.ParametersActive} {
		if v < 0 {
			return invalid("", -1, "model: a count is negative")
		}
	}
	if m.KvDtype != bundlepb.DType_INVALID && !DType(m.KvDtype).Valid() {
		return invalid("", -1, "model: unknown element type %d", m.KvDtype)
	}
	return nil
}

func validateProvenance(p *bundlepb.Provenance) error {
	last := ""
	for i, f := range p.Sources {
		where := fmt.Sprintf("provenance.sources[%d]", i)
		if f.Path <= last || f.Size < 0 || len(f.Sha256) != sha256.Size {
			return invalid("", -1, "%s: names not sorted and unique, or size or sha256 missing", where)
		}
		last = f.Path
	}
	for _, sum := range [][]byte{p.CalibrationSha256, p.JobKey} {
		if len(sum) != 0 && len(sum) != sha256.Size {
			return invalid("", -1, "provenance: a digest is not %d bytes", sha256.Size)
		}
	}
	return nil
}

// validateName refuses names that are empty, too long, unprintable or already seen.
func validateName(where, name string, seen map[string]bool) error {
	control := func(r rune) bool { return r < ' ' }
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, control) {
		return invalid("", -1, "%s: name %.64q is empty, too long or has control characters", where, name)
	}
	if seen[name] {
		return invalid("", -1, "%s: name %q appears twice", where, name)
	}
	seen[name] = true
	return nil
}

// validateFiles checks the small files: they lie inside the bundle and beside the weights.
func validateFiles(files []*bundlepb.File) error {
	last := ""
	all := map[string]bool{}
	for i, f := range files {
		where := fmt.Sprintf("files[%d]", i)
		if err := validatePath(where, f.Path); err != nil {
			return err
		}
		if f.Path <= last {
			return invalid("", -1, "%s: path %q is not in sorted order, or twice", where, f.Path)
		}
		if f.Size < 0 || f.Size > maxBytes || len(f.Sha256) != sha256.Size {
			return invalid("", -1, "%s: size or sha256 of %q is missing or wrong", where, f.Path)
		}
		last, all[f.Path] = f.Path, true
	}
	for i, f := range files {
		for p := f.Path; strings.Contains(p, "/"); {
			p = p[:strings.LastIndexByte(p, '/')]
			if all[p] {
				return invalid("", -1, "files[%d]: %q is below the file %q", i, f.Path, p)
			}
		}
	}
	return nil
}

func validatePath(where, p string) error {
	bad := len(p) > maxName || !fs.ValidPath(p) || p == "." || strings.ContainsAny(p, "\\:\x00")
	if bad {
		return invalid("", -1, "%s: path %.64q does not stay inside the bundle", where, p)
	}
	if p == ManifestName || p == weightsDir || strings.HasPrefix(p, weightsDir+"/") {
		return invalid("", -1, "%s: path %q is reserved", where, p)
	}
	return nil
}
