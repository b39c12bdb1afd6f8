package tokenizer

import (
	"slices"
	"testing"
	"unicode/utf8"
)

func TestStreamHoldsCharacters(t *testing.T) {
	tok := loadTiny(t)
	grin := []int32{245, 164, 157, 133} // bytes of an emoji
	for _, c := range []struct {
		name  string
		ids   []int32
		want  []string
		flush string
	}{
		{"emoji", append([]int32{4019}, grin...), []string{"", "", "", "", "😀"}, ""},
		{"cut emoji, then a piece", []int32{245, 164, 265}, []string{"", "", "\ufffd\ufffd the"}, ""},
		{"cut emoji, then eos", []int32{245, 4}, []string{"", "\ufffd[unused10]"}, ""},
		{"cut emoji at the end", []int32{245, 164, 157}, []string{"", "", ""}, "\ufffd\ufffd\ufffd"},
		{"no start byte", []int32{133, 70}, []string{"\ufffd", "A"}, ""},
		{"leading spaces", []int32{4019, 4019, 265}, []string{"", " ", " the"}, ""},
		{"control first", []int32{2, 265, 265}, []string{"", "the", " the"}, ""},
		{"after a special token", []int32{4, 265, 265}, []string{"[unused10]", "the", " the"}, ""},
		{"outside", []int32{-1, 4096, 265}, []string{"\ufffd", "\ufffd", " the"}, ""},
		{"unknown", []int32{0}, []string{"<unk>"}, ""},
	} {
		s := tok.NewStream()
		for range 2 { // Flush starts anew
			var got []string
			for _, id := range c.ids {
				got = append(got, s.Push(id))
			}
			if flush := s.Flush(); !slices.Equal(got, c.want) || flush != c.flush {
				t.Errorf("%s: %q then %q, want %q then %q", c.name, got, flush, c.want, c.flush)
			}
		}
	}
}

func TestStreamContinuesPrompt(t *testing.T) {
	s := loadTiny(t).NewStream(SkipSpecials)
	s.Push(1)
	s.Push(265)
	if text := s.Push(265) + s.Push(4); text != " the" {
		t.Errorf("continuation %q, want %q", text, " the")
	}
}

// FuzzStream takes two bytes an id, so that every id and some outside are met.
func FuzzStream(f *testing.F) {
	toks := []*Tokenizer{loadTiny(f), loadTestModel(f, "words"), loadTestModel(f, "raw")}
	f.Add([]byte("\x00\xf5\x00\xa4\x00\x9d\x00\x85\x0f\xb3"))
	f.Add([]byte("\x00\x00\x00\x01\x00\x04\x0f\xb3\xff\xff\x00\xf5"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var ids []int32
		for i := 0; i+1 < len(data); i += 2 {
			ids = append(ids, int32(int16(data[i])<<8|int16(data[i+1])))
		}
		for _, tok := range toks {
			s, text := tok.NewStream(), ""
			for _, id := range ids {
				part := s.Push(id)
				if !utf8.ValidString(part) {
					t.Fatalf("ids %v: %q breaks a character", ids, part)
				}
				text += part
			}
			if text += s.Flush(); text != tok.Decode(ids) {
				t.Fatalf("ids %v: stream %q, Decode %q", ids, text, tok.Decode(ids))
			}
		}
	})
}

func FuzzEncode(f *testing.F) {
	toks := []*Tokenizer{loadTiny(f), loadPangu(f, "", "")}
	for _, seed := range []string{"", " ", "▁", "a[unused10] b", "<s>", "\xff", "😀\x00\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range toks {
			ids := tok.Encode(text, WithoutSpecials)
			for _, id := range ids {
				if id <= 4 || int(id) >= tok.Size() {
					t.Fatalf("%q: id %d", text, id)
				}
			}
			if got := tok.Decode(ids); utf8.ValidString(text) && got != spaces(text) {
				t.Fatalf("%q decodes to %q", text, got)
			}
		}
		if got := toks[1].Decode(toks[1].Encode(text, WithSpecials)); utf8.ValidString(text) &&
			got != spaces(text) {
			t.Fatalf("%q decodes to %q", text, got)
		}
	})
}
