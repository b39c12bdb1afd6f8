package bundle

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// testJournal has a header and batches of one, three and two records.
func testJournal() (raw []byte, header int) {
	raw = journalHeader{[32]byte{1}, "tiny"}.encode()
	header = len(raw)
	n := 0
	for _, batch := range []int{1, 3, 2} {
		first := n
		for range batch {
			raw = record{Chunk{0, n, 0, 10}, [32]byte{byte(n)}}.append(raw, first)
			n++
		}
	}
	return raw, header
}

func TestJournalRoundTrip(t *testing.T) {
	raw, _ := testJournal()
	h, records, end, err := parseJournal("journal", raw)
	if err != nil || h.describe != "tiny" || h.job[0] != 1 || end != int64(len(raw)) {
		t.Fatalf("%+v, end %d, %v", h, end, err)
	}
	for i, r := range records {
		if r.Section != i || r.Size != 10 || r.sum[0] != byte(i) {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if len(records) != 6 {
		t.Errorf("%d records", len(records))
	}
}

// A journal cut short anywhere after its header keeps its whole records.
func TestJournalCutShort(t *testing.T) {
	raw, header := testJournal()
	for n := range raw {
		_, records, end, err := parseJournal("journal", raw[:n])
		if n < header {
			if err == nil {
				t.Errorf("header of %d bytes is accepted", n)
			}
			continue
		}
		want := (n - header) / recordBytes
		if err != nil || len(records) != want || end != int64(header+want*recordBytes) {
			t.Errorf("%d bytes: %d records, end %d, %v", n, len(records), end, err)
		}
	}
}

// A flipped bit is refused, but in the last batch it looks like a torn write: the record and
// what follows it are done again.
func TestJournalFlippedBit(t *testing.T) {
	raw, header := testJournal()
	lastBatch := header + 4*recordBytes
	for i := range len(raw) * 8 {
		flipped := bytes.Clone(raw)
		flipped[i/8] ^= 1 << (i % 8)
		_, records, _, err := parseJournal("journal", flipped)
		if i/8 < lastBatch {
			if err == nil {
				t.Errorf("bit %d: accepted with %d records", i, len(records))
			}
			continue
		}
		if want := (i/8 - header) / recordBytes; err != nil || len(records) != want {
			t.Errorf("bit %d: %d records, %v", i, len(records), err)
		}
	}
}

func TestJournalErrors(t *testing.T) {
	const hint = "; delete the partial directory, or run again without --resume"
	raw, header := testJournal()
	edit := func(at int, b byte) []byte {
		out := bytes.Clone(raw)
		out[at] = b
		return out
	}
	cases := []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "p: byte 0: journal is damaged: no journal header"},
		{"magic", edit(0, 'X'), "p: byte 0: journal is damaged: no journal header"},
		{"length", edit(14, 1), "p: byte 12: journal is damaged: the header is cut short"},
		{"header", edit(20, 9), "p: byte 52: journal is damaged: " +
			"the checksum of the header does not match"},
		{"record", edit(header+70, 9), "p: byte 120: journal is damaged: " +
			"the checksum of a record does not match"},
		{"order", record{}.append(bytes.Clone(raw), 7), "p: byte 440: journal is damaged: " +
			"a record is out of order"},
	}
	for _, c := range cases {
		_, _, _, err := parseJournal("p", c.raw)
		wantError(t, err, c.want+hint)
	}
}

func TestResumeRefusesDamagedJournal(t *testing.T) {
	f := suspended(t, 5)
	damage(t, f, "out.moge.partial/journal", 150)
	err := createError(f, testJob("out.moge"), Options{Resume: true})
	var e *Error
	if !errors.As(err, &e) || !e.Invalid() || !strings.HasPrefix(err.Error(),
		"out.moge.partial/journal: byte ") || !strings.HasSuffix(err.Error(), journalHint) {
		t.Error(err)
	}
	if err := build(f, testJob("out.moge"), Options{}); err != nil {
		t.Errorf("without resume: %v", err)
	}
}

// Records that pass their checksums can still be nonsense.
func TestResumeRefusesImpossibleRecords(t *testing.T) {
	for _, c := range []struct {
		chunk Chunk
		want  string
	}{
		{Chunk{5, 0, 0, 1}, "chunk of rank 5, section 0: there is no such section"},
		{Chunk{0, 0, 0, 301}, "chunk of rank 0, section 0: bytes [0, 301) of 300"},
		{Chunk{0, 0, 0, 96}, "a chunk is recorded twice"},
	} {
		f := suspended(t, 2)
		h, err := f.OpenWrite("out.moge.partial/journal")
		if err != nil {
			t.Fatal(err)
		}
		size, _ := h.Size()
		if _, err := h.WriteAt(record{Chunk: c.chunk}.append(nil, 2), size); err != nil {
			t.Fatal(err)
		}
		err = createError(f, testJob("out.moge"), Options{Resume: true})
		wantError(t, err, "out.moge.partial/journal: journal is damaged: "+c.want+"; "+journalHint)
	}
}

func FuzzJournal(f *testing.F) {
	raw, header := testJournal()
	f.Add(raw)
	f.Add(raw[:header])
	f.Add(raw[:header+100])
	f.Fuzz(func(t *testing.T, b []byte) {
		_, records, end, err := parseJournal("journal", b)
		if err == nil && (end > int64(len(b)) || len(records)*recordBytes > len(b)) {
			t.Errorf("%d records end at %d of %d bytes", len(records), end, len(b))
		}
	})
}
