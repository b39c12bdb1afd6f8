package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"moge/formats/bundle/bundlepb"
)

// hashedManifest is a complete manifest, with made-up hashes.
func hashedManifest() *bundlepb.Manifest { return hashedManifestOf(2) }

func hashedManifestOf(ranks int) *bundlepb.Manifest {
	m := testManifest(ranks)
	for _, r := range m.Ranks {
		for _, s := range r.Sections {
			sum := sha256.Sum256([]byte{byte(s.Offset)})
			s.Sha256 = sum[:]
		}
	}
	return m
}

// seal wraps any payload in a valid header.
func seal(version uint32, payload []byte) []byte {
	file := append([]byte(manifestMagic), make([]byte, manifestHeader-8)...)
	binary.LittleEndian.PutUint32(file[8:], version)
	binary.LittleEndian.PutUint64(file[16:], uint64(len(payload)))
	sum := manifestSum(file, payload)
	copy(file[manifestSumAt:], sum[:])
	return append(file, payload...)
}

func TestManifestIsCanonical(t *testing.T) {
	file, err := encodeManifest(hashedManifest())
	if err != nil {
		t.Fatal(err)
	}
	m, err := decodeManifest("manifest.pb", file)
	if err != nil || !proto.Equal(m, hashedManifest()) {
		t.Fatalf("round trip: %v", err)
	}
	for range 20 {
		again, err := encodeManifest(m)
		if err != nil || !bytes.Equal(again, file) {
			t.Fatalf("other bytes, %v", err)
		}
	}
}

func TestManifestFlippedBit(t *testing.T) {
	file, err := encodeManifest(hashedManifest())
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(file) * 8 {
		flipped := bytes.Clone(file)
		flipped[i/8] ^= 1 << (i % 8)
		if _, err := decodeManifest("manifest.pb", flipped); err == nil {
			t.Errorf("bit %d is not noticed", i)
		}
	}
	for n := range file {
		if _, err := decodeManifest("manifest.pb", file[:n]); err == nil {
			t.Errorf("cut to %d bytes is not noticed", n)
		}
	}
}

func TestManifestErrors(t *testing.T) {
	const hint = "; copy the bundle again or compile it anew"
	payload, err := Marshal(hashedManifest())
	if err != nil {
		t.Fatal(err)
	}
	reserved := seal(FormatVersion, payload)
	reserved[12] = 1
	sum := manifestSum(reserved, payload)
	copy(reserved[manifestSumAt:], sum[:])
	long := append(seal(FormatVersion, payload), 0)
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	deep, err := Marshal(&bundlepb.Manifest{FormatVersion: FormatVersion})
	if err != nil {
		t.Fatal(err)
	}
	deep = protowire.AppendTag(deep, 3, protowire.BytesType)
	deep = protowire.AppendBytes(deep, unknown)
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"short", nil, "p: byte 0: manifest ends inside its header" + hint},
		{"magic", bytes.Repeat([]byte("x"), 60), "p: byte 0: not a bundle manifest" + hint},
		{"long", long, "p: byte 16: manifest declares 832 bytes and has 833" + hint},
		{"reserved", reserved, "p: byte 12: reserved bytes of the manifest header are not zero" + hint},
		{"protobuf", seal(FormatVersion, []byte{0xff}), "p: byte 56: manifest is no valid protobuf" + hint},
		{"versions", seal(0, payload), "p: byte 8: format version 0 in the header, 3 inside"},
		{"unknown", seal(FormatVersion, append(bytes.Clone(payload), unknown...)),
			"p: byte 56: Manifest has a field that format version 3 does not have"},
		{"unknown inside", seal(FormatVersion, deep),
			"p: byte 56: Model has a field that format version 3 does not have"},
	}
	for _, c := range cases {
		_, err := decodeManifest("p", c.file)
		wantError(t, err, c.want)
	}
}

// A newer bundle is told from a damaged one, and the message names who reads it.
func TestNewerVersion(t *testing.T) {
	m := hashedManifest()
	m.FormatVersion, m.WriterVersion = 7, "2.3.1"
	payload, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, err = decodeManifest("p", seal(7, payload))
	wantError(t, err, `p: format version 7, this build reads up to 3; `+
		`use version "2.3.1" of the tool, which wrote it, or a later one`)
	var e *Error
	if !errors.Is(err, ErrVersion) || !errors.As(err, &e) || !e.Invalid() {
		t.Error("not an invalid input that wraps ErrVersion")
	}
	_, err = decodeManifest("p", seal(8, []byte{0xff}))
	wantError(t, err, "p: format version 8, this build reads up to 3; use a newer version of the tool")
}

// Bundles of older versions, which had one rank, are read.
func TestOlderVersions(t *testing.T) {
	for version := uint32(1); version < FormatVersion; version++ {
		m := hashedManifestOf(1)
		m.FormatVersion = version
		file, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeManifest("p", file)
		if err != nil {
			t.Fatal(err)
		}
		if err := Validate(got, true); err != nil || !proto.Equal(got, m) {
			t.Errorf("version %d: %v, or not equal", version, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	payload, err := Marshal(hashedManifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := decodeManifest("p", seal(FormatVersion, payload))
		if err != nil || Validate(m, true) != nil {
			return
		}
		again, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		m, err = decodeManifest("p", seal(FormatVersion, again))
		if err != nil || Validate(m, true) != nil {
			t.Errorf("valid, but not when encoded again: %v", err)
		}
	})
}
