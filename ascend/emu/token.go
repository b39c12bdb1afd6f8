package emu

import "unicode"

// token is a word, a number, a string or a single sign of C++ text.
type token struct {
	text string
	line int
}

func isWord(r byte) bool {
	return r == '_' || r >= '0' && r <= '9' || unicode.IsLetter(rune(r))
}

// scanner walks over text, dropping comments; preprocessor lines come out as one token.
type scanner struct {
	text string
	at   int
	line int
	out  []token
}

func tokenize(text string) []token {
	s := &scanner{text: text, line: 1}
	for s.at < len(text) {
		s.next()
	}
	return s.out
}

func (s *scanner) next() {
	c := s.text[s.at]
	switch {
	case c == '\n':
		s.line++
		s.at++
	case c == ' ' || c == '\t' || c == '\r':
		s.at++
	case s.has("//"):
		s.skipTo("\n", 0)
	case s.has("/*"):
		s.at += 2
		s.skipTo("*/", 2)
	case c == '#':
		s.directive()
	case c == '"' || c == '\'':
		s.quoted(c)
	case isWord(c):
		s.word()
	default:
		s.emit(1)
	}
}

func (s *scanner) has(p string) bool {
	return len(s.text)-s.at >= len(p) && s.text[s.at:s.at+len(p)] == p
}

// skipTo moves behind (extra) the next p, counting lines.
func (s *scanner) skipTo(p string, extra int) {
	for s.at < len(s.text) && !s.has(p) {
		if s.text[s.at] == '\n' {
			s.line++
		}
		s.at++
	}
	s.at = min(s.at+extra, len(s.text))
}

func (s *scanner) emit(n int) {
	s.out = append(s.out, token{s.text[s.at : s.at+n], s.line})
	s.at += n
}

func (s *scanner) word() {
	n := 1
	for s.at+n < len(s.text) && isWord(s.text[s.at+n]) {
		n++
	}
	s.emit(n)
}

func (s *scanner) quoted(quote byte) {
	n := 1
	for s.at+n < len(s.text) && s.text[s.at+n] != quote && s.text[s.at+n] != '\n' {
		if s.text[s.at+n] == '\\' {
			n++
		}
		n++
	}
	s.emit(min(n+1, len(s.text)-s.at))
}

func (s *scanner) directive() {
	n := 0
	for s.at+n < len(s.text) && s.text[s.at+n] != '\n' {
		n++
	}
	s.emit(n)
}
