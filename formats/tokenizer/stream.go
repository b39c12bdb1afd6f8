package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// DecodeOption changes what decoding writes.
type DecodeOption uint8

// SkipSpecials leaves out the text of special tokens, such as bos and eos. Added tokens
// that the configuration does not mark as special are still written.
const SkipSpecials DecodeOption = 1

const replacement = string(utf8.RuneError)

// Stream decodes ids one at a time. The strings of all Push calls and of the last Flush,
// joined, are Decode of all the ids. A Stream serves one goroutine.
//
// The first piece of a text loses its leading space, as the encoder added it. To decode
// the continuation of a prompt with its spaces, push the prompt first and drop what
// comes out.
type Stream struct {
	t       *Tokenizer
	skip    bool
	out     []byte
	pending []byte // bytes of a character that is not whole yet

	// State of one run of ordinary tokens, as in SentencePieceProcessor::Decode.
	inText    bool // the run has given text
	spaceSeen bool // the last piece gave its leading space away
	noStrip   bool // leading spaces are text from here on
}

// NewStream returns a Stream at the start of a text.
func (t *Tokenizer) NewStream(opts ...DecodeOption) *Stream {
	s := &Stream{t: t}
	for _, opt := range opts {
		s.skip = s.skip || opt == SkipSpecials
	}
	return s
}

// Push takes one id and returns the text that is certain now: whole UTF-8 characters,
// possibly none. Byte tokens that form no character give U+FFFD, one each; so does an id
// that the tokenizer does not have, such as one of a padded embedding.
func (s *Stream) Push(id int32) string {
	s.push(id)
	return s.take()
}

// Flush ends the text: it returns what was held back, one U+FFFD for each byte of an
// unfinished character, and makes the Stream ready for a new text.
func (s *Stream) Flush() string {
	s.endBytes()
	s.endRun()
	return s.take()
}

func (s *Stream) take() string {
	text := string(s.out)
	s.out = s.out[:0]
	return text
}

func (s *Stream) push(id int32) {
	if tok, ok := s.t.added[id]; ok {
		s.endBytes()
		s.endRun()
		if !s.skip || !tok.special {
			s.out = append(s.out, tok.text...)
		}
		return
	}
	if id < 0 || int(id) >= len(s.t.v.pieces) {
		s.endBytes()
		s.write(replacement)
		return
	}
	if b := s.t.v.byteOf[id]; b >= 0 {
		s.pending = append(s.pending, byte(b))
		s.inText = true
		s.wholeRunes()
		return
	}
	s.endBytes()
	s.pushPiece(s.t.v.pieces[id])
}

func (s *Stream) pushPiece(p piece) {
	s.noStrip = s.noStrip || s.spaceSeen || s.inText
	s.spaceSeen = false
	switch p.typ {
	case typeControl:
		return
	case typeUnknown:
		s.write(s.t.v.unkSurface)
		return
	}
	text, m := p.text, s.t.v.model
	if !s.noStrip && (m.addDummyPrefix || m.removeExtraSpace) {
		rest, found := strings.CutPrefix(text, spaceMark)
		s.spaceSeen = found && !m.removeExtraSpace
		text = rest
	}
	s.write(strings.ReplaceAll(text, spaceMark, " "))
}

func (s *Stream) write(text string) {
	s.out = append(s.out, text...)
	s.inText = s.inText || text != ""
}

// wholeRunes moves the characters that later bytes cannot change to the output.
func (s *Stream) wholeRunes() {
	n := 0
	for n < len(s.pending) && utf8.FullRune(s.pending[n:]) {
		n += s.writeRune(s.pending[n:])
	}
	s.pending = append(s.pending[:0], s.pending[n:]...)
}

func (s *Stream) endBytes() {
	for n := 0; n < len(s.pending); {
		n += s.writeRune(s.pending[n:])
	}
	s.pending = s.pending[:0]
}

func (s *Stream) writeRune(b []byte) int {
	r, n := utf8.DecodeRune(b)
	s.out = utf8.AppendRune(s.out, r)
	return n
}

func (s *Stream) endRun() { s.inText, s.spaceSeen, s.noStrip = false, false, false }

// Decode returns the text of ids. Added tokens are written as they are spelled, and each
// run of others between them as SentencePieceProcessor::Decode does: it loses the one
// leading space that encoding added. Ids outside the vocabulary give U+FFFD. This is
// also what the tokenizer class of the Pangu checkpoints does.
func (t *Tokenizer) Decode(ids []int32, opts ...DecodeOption) string {
	s := t.NewStream(opts...)
	for _, id := range ids {
		s.push(id)
	}
	s.endBytes()
	return string(s.out)
}
