package tokenizer

import (
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// randomText mixes scripts, spaces, controls, emoji and the space mark.
func randomText(rnd *rand.Rand) string {
	parts := []string{" ", "  ", "▁", "\n", "\t", "\x00", "\u200d", "\ufeff", "\ufffd", "the ",
		"[unused9]", "<unk>", "</s>", "<0x41>", "😀", "👨\u200d👩", "e\u0301", "你好", "йог", "א"}
	var b strings.Builder
	for range rnd.IntN(12) {
		switch rnd.IntN(4) {
		case 0:
			b.WriteString(parts[rnd.IntN(len(parts))])
		case 1:
			b.WriteByte(byte(' ' + rnd.IntN(95)))
		case 2:
			b.WriteRune(rune(rnd.IntN(utf8.MaxRune + 1)))
		case 3:
			b.WriteRune(rune(rnd.IntN(0x3000)))
		}
	}
	return b.String()
}

func spaces(text string) string { return strings.ReplaceAll(text, spaceMark, " ") }

func TestRoundTrip(t *testing.T) {
	tiny, pangu := loadTiny(t), loadPangu(t, "", "")
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		text := randomText(rnd)
		for _, c := range []struct {
			tok  *Tokenizer
			opts []EncodeOption
		}{
			{tiny, nil}, {tiny, []EncodeOption{WithoutSpecials}},
			{pangu, []EncodeOption{WithSpecials}}, {pangu, []EncodeOption{WithoutSpecials}},
		} {
			ids := c.tok.Encode(text, c.opts...)
			if got := c.tok.Decode(ids); got != spaces(text) {
				t.Fatalf("%q, options %v: ids %v decode to %q", text, c.opts, ids, got)
			}
		}
	}
}

func TestWithoutSpecials(t *testing.T) {
	const text = "a[unused10]<s>\n"
	if ids := loadTiny(t).Encode(text); !slices.Contains(ids, 4) {
		t.Errorf("%v lacks [unused10], which sentencepiece finds", ids)
	}
	for _, id := range loadTiny(t).Encode(text, WithoutSpecials, WithSpecials) {
		if id <= 4 {
			t.Errorf("special id %d", id)
		}
	}
	// Without a list of added tokens a user-defined newline counts as special; with a list
	// that lacks it, it is text.
	data, err := os.ReadFile(filepath.Join("testdata", "unused.model"))
	if err != nil {
		t.Fatal(err)
	}
	const newline, newlineByte = 3, 6 + '\n'
	for config, want := range map[string]int32{
		`{}`: newlineByte, `{"added_tokens_decoder": {}}`: newline,
	} {
		tok, err := FromFiles(mapFiles(map[string][]byte{
			modelFile: data, configFile: []byte(config),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if ids := tok.Encode("\n", WithoutSpecials); !slices.Equal(ids, []int32{want}) {
			t.Errorf("%s: newline is %v, want %d", config, ids, want)
		}
	}
}

func TestEncodeInvalidUTF8(t *testing.T) {
	tok := loadTiny(t)
	// What sentencepiece gives for these bytes.
	want := []int32{4019, 244, 196, 194, 244, 196, 194, 4023}
	if ids := tok.Encode("\xff\xfea"); !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
}

// TestWorkIsNotQuadratic counts lookups and heap steps. n characters have n-1 pairs at
// first and each of at most n-1 merges looks up two more, so that there are below 3n
// agenda entries, and each costs at most the depth of the heap twice.
func TestWorkIsNotQuadratic(t *testing.T) {
	tok := loadTiny(t)
	book, err := os.ReadFile(filepath.Join(tinyDir, "calib.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"one letter": strings.Repeat("x", 1<<18), "one word": strings.Repeat("the", 1<<17),
		"spaces": strings.Repeat(" ", 1<<18), "book": string(book),
	} {
		text = normalize(tok.v.model, tok.user, text)
		b := newBPE(tok.v, nil, tok.user, text)
		n := len(b.symbols)
		b.run()
		if b.lookups >= 3*n {
			t.Errorf("%s: %d lookups for %d characters", name, b.lookups, n)
		}
		if limit := 3 * n * 2 * bits.Len(uint(3*n)); b.agenda.steps > limit {
			t.Errorf("%s: %d characters took %d heap steps, limit %d",
				name, n, b.agenda.steps, limit)
		}
	}
}

// TestPerplexityCount counts the tokens of eval.txt as the golden perplexity does, whose
// scored_tokens the count must equal: a passage is bos, ids, eos, cut into windows of 256,
// and the first token of a window is not scored.
func TestPerplexityCount(t *testing.T) {
	tok := loadTiny(t)
	data, err := os.ReadFile(filepath.Join(tinyDir, "eval.txt"))
	if err != nil {
		t.Fatal(err)
	}
	scored := 0
	for passage := range strings.SplitSeq(string(data), "\n\n") {
		n := len(tok.Encode(passage, WithBOS)) + 1
		scored += n - (n+255)/256
	}
	if scored != 36626 {
		t.Errorf("%d scored tokens, want 36626", scored)
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := loadTiny(b)
	book, err := os.ReadFile(filepath.Join(tinyDir, "calib.txt"))
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(string(book), 1<<20/len(book)+1)[:1<<20]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.Encode(text)
	}
}
