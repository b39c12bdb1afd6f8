package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"moge/formats/bundle/bundlepb"
)

// FormatVersion is the version that this package writes; it reads this one and older ones.
const FormatVersion = 3

// ManifestName is the path of the manifest below the bundle.
const ManifestName = "manifest.pb"

// The manifest file is magic, format version u32, zero u32, length u64, SHA-256 of all other
// bytes, protobuf; little-endian. Later versions keep this header, so that every reader can
// tell a newer file from a damaged one.
const (
	manifestMagic  = "MOGEBNDL"
	manifestSumAt  = 24
	manifestHeader = manifestSumAt + sha256.Size
	// maxManifest bounds what is read into memory: a hundred times the largest real manifest.
	maxManifest = 32 << 20
)

// Marshal encodes a manifest; equal manifests give equal bytes.
func Marshal(m *bundlepb.Manifest) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// encodeManifest is the content of manifest.pb.
func encodeManifest(m *bundlepb.Manifest) ([]byte, error) {
	payload, err := Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	if len(payload) > maxManifest-manifestHeader {
		return nil, invalid("", -1, "manifest of %d bytes, at most %d are allowed", len(payload),
			maxManifest-manifestHeader)
	}
	file := make([]byte, manifestHeader, manifestHeader+len(payload))
	copy(file, manifestMagic)
	binary.LittleEndian.PutUint32(file[8:], m.FormatVersion)
	binary.LittleEndian.PutUint64(file[16:], uint64(len(payload)))
	sum := manifestSum(file, payload)
	copy(file[manifestSumAt:], sum[:])
	return append(file, payload...), nil
}

func manifestSum(header, payload []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(header[:manifestSumAt])
	h.Write(payload)
	return [sha256.Size]byte(h.Sum(nil))
}

// decodeManifest reads the content of manifest.pb found at path. The result is not yet
// validated.
func decodeManifest(path string, file []byte) (*bundlepb.Manifest, error) {
	payload, err := openEnvelope(path, file)
	if err != nil {
		return nil, err
	}
	m := new(bundlepb.Manifest)
	err = proto.UnmarshalOptions{RecursionLimit: 16}.Unmarshal(payload, m)
	if version := binary.LittleEndian.Uint32(file[8:]); version > FormatVersion {
		return nil, newer(path, version, m.GetWriterVersion())
	} else if err == nil && version != m.FormatVersion {
		return nil, invalid(path, 8, "format version %d in the header, %d inside", version,
			m.FormatVersion)
	}
	if err != nil {
		return nil, damaged(path, manifestHeader, "manifest is no valid protobuf")
	}
	if where := unknownField(m.ProtoReflect()); where != "" {
		return nil, invalid(path, manifestHeader, "%s has a field that format version %d does not have",
			where, m.FormatVersion)
	}
	return m, nil
}

func openEnvelope(path string, file []byte) ([]byte, error) {
	if len(file) < manifestHeader {
		return nil, damaged(path, int64(len(file)), "manifest ends inside its header")
	}
	if string(file[:8]) != manifestMagic {
		return nil, damaged(path, 0, "not a bundle manifest")
	}
	payload := file[manifestHeader:]
	if n := binary.LittleEndian.Uint64(file[16:]); n != uint64(len(payload)) {
		return nil, damaged(path, 16,
			fmt.Sprintf("manifest declares %d bytes and has %d", n, len(payload)))
	}
	if sum := manifestSum(file, payload); !bytes.Equal(sum[:], file[manifestSumAt:manifestHeader]) {
		return nil, damaged(path, manifestSumAt, "checksum of the manifest does not match")
	}
	if binary.LittleEndian.Uint32(file[12:]) != 0 {
		return nil, damaged(path, 12, "reserved bytes of the manifest header are not zero")
	}
	return payload, nil
}

func damaged(path string, offset int64, reason string) *Error {
	return &Error{Path: path, Offset: offset, Reason: reason, Hint: rebuildHint}
}

// newer names the version of the tool that reads the file, which is that of its writer.
func newer(path string, version uint32, writer string) *Error {
	e := invalid(path, -1, "format version %d, this build reads up to %d", version, FormatVersion)
	e.Err = ErrVersion
	e.Hint = "use a newer version of the tool"
	if writer != "" {
		e.Hint = fmt.Sprintf("use version %.64q of the tool, which wrote it, or a later one", writer)
	}
	return e
}

// unknownField returns the name of a message type in m that carries fields unknown to this
// build, or "".
func unknownField(m protoreflect.Message) (found string) {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().Name())
	}
	fields := m.Descriptor().Fields()
	for i := 0; i < fields.Len() && found == ""; i++ {
		f := fields.Get(i)
		switch {
		case f.Kind() != protoreflect.MessageKind || !m.Has(f):
		case f.IsList():
			list := m.Get(f).List()
			for j := 0; j < list.Len() && found == ""; j++ {
				found = unknownField(list.Get(j).Message())
			}
		default:
			found = unknownField(m.Get(f).Message())
		}
	}
	return found
}
