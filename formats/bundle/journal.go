package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"io"

	"moge/formats/durable"
)

// A journal is a header and records of 64 bytes, little-endian.
//
//	header  magic [8], version u32, description length u32, job digest [32], description,
//	        CRC-32C of all before
//	record  rank u32, section u32, offset i64, size i64, SHA-256 [32], first u32, CRC-32C u32
//
// Records are appended in batches, each synced before the next begins; first is the number of
// the record that began the batch. Only the last batch can therefore be torn by power loss: a
// bad record before the first of any good one's batch is damage, and the journal is refused.
const (
	journalMagic   = "MOGEJRNL"
	journalVersion = 1
	journalFixed   = 8 + 4 + 4 + 32
	recordBytes    = 64
	maxDescribe    = 4096
	maxJournal     = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record says that a chunk's bytes are on disk.
type record struct {
	Chunk
	sum [sha256.Size]byte
}

type journalHeader struct {
	job      [sha256.Size]byte
	describe string
}

func (h journalHeader) encode() []byte {
	describe := h.describe[:min(len(h.describe), maxDescribe)]
	b := make([]byte, 0, journalFixed+len(describe)+4)
	b = append(b, journalMagic...)
	b = binary.LittleEndian.AppendUint32(b, journalVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(describe)))
	b = append(b, h.job[:]...)
	b = append(b, describe...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (r record) append(b []byte, first int) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Rank))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Section))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Size))
	b = append(b, r.sum[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(first))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// decodeRecord reads one record; ok is false if its checksum does not hold.
func decodeRecord(b []byte) (r record, first int, ok bool) {
	if crc32.Checksum(b[:60], castagnoli) != binary.LittleEndian.Uint32(b[60:]) {
		return record{}, 0, false
	}
	r.Rank = int(binary.LittleEndian.Uint32(b))
	r.Section = int(binary.LittleEndian.Uint32(b[4:]))
	r.Offset = int64(binary.LittleEndian.Uint64(b[8:]))
	r.Size = int64(binary.LittleEndian.Uint64(b[16:]))
	copy(r.sum[:], b[24:])
	return r, int(binary.LittleEndian.Uint32(b[56:])), true
}

const journalHint = "delete the partial directory, or run again without --resume"

func badJournal(path string, offset int, reason string) *Error {
	return &Error{Path: path, Offset: int64(offset), Reason: "journal is damaged: " + reason,
		Hint: journalHint}
}

// parseJournal reads a journal found at path. end is where the next record goes: after the
// last one of the unbroken sequence from the start.
func parseJournal(path string, b []byte) (h journalHeader, records []record, end int64, err error) {
	h, start, err := parseJournalHeader(path, b)
	if err != nil {
		return h, nil, 0, err
	}
	body := b[start:]
	broken := -1 // the first bad record
	for i := 0; (i+1)*recordBytes <= len(body); i++ {
		r, first, ok := decodeRecord(body[i*recordBytes : (i+1)*recordBytes])
		switch {
		case !ok && broken < 0:
			broken = i
		case ok && first > i:
			return h, nil, 0, badJournal(path, start+i*recordBytes, "a record is out of order")
		case ok && broken >= 0 && broken < first:
			return h, nil, 0, badJournal(path, start+broken*recordBytes,
				"the checksum of a record does not match")
		case ok && broken < 0:
			records = append(records, r)
		}
	}
	return h, records, int64(start + len(records)*recordBytes), nil
}

func parseJournalHeader(path string, b []byte) (h journalHeader, size int, err error) {
	if len(b) < journalFixed || string(b[:8]) != journalMagic {
		return h, 0, badJournal(path, 0, "no journal header")
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if n > maxDescribe || len(b) < journalFixed+int(n)+4 {
		return h, 0, badJournal(path, 12, "the header is cut short")
	}
	size = journalFixed + int(n) + 4
	if crc32.Checksum(b[:size-4], castagnoli) != binary.LittleEndian.Uint32(b[size-4:]) {
		return h, 0, badJournal(path, size-4, "the checksum of the header does not match")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != journalVersion {
		return h, 0, &Error{Path: path, Offset: 8, Reason: "journal of another version of the tool",
			Hint: journalHint, Err: ErrChanged}
	}
	copy(h.job[:], b[16:])
	h.describe = string(b[journalFixed : size-4])
	return h, size, nil
}

// journal appends batches to an open journal file.
type journal struct {
	file  durable.File
	end   int64
	count int
}

// append writes a batch and returns when it is on disk.
func (j *journal) append(batch []record) error {
	b := make([]byte, 0, len(batch)*recordBytes)
	for _, r := range batch {
		b = r.append(b, j.count)
	}
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.end += int64(len(b))
	j.count += len(batch)
	return nil
}

// readFile reads a file of at most limit bytes.
func readFile(fsys durable.FS, path string, limit int64) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, invalid(path, limit, "file has %d bytes, at most %d are expected", size, limit)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), b); err != nil {
		return nil, err
	}
	return b, nil
}
