package safetensors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// scanner reads JSON token by token, so that nothing is kept which was not asked for, and
// refuses a key that occurs twice: readers differ in which of the two they take.
type scanner struct {
	dec  *json.Decoder
	file string
	what string // the document, as messages call it
	base int64  // where the document begins in the file
}

// scanDocument lets visit read the value of each key of the object in text, which must hold
// nothing else.
func scanDocument(
	file, what string, base int64, text []byte, visit func(s *scanner, key string) error,
) error {
	s := &scanner{dec: json.NewDecoder(bytes.NewReader(text)), file: file, what: what, base: base}
	s.dec.UseNumber()
	if !utf8.Valid(text) {
		return &Error{File: file, Reason: what + " is not UTF-8 text", Hint: hintDamaged}
	}
	if err := s.object("", func(key string) error { return visit(s, key) }); err != nil {
		return err
	}
	if _, err := s.dec.Token(); err != io.EOF {
		return s.fail("", what+" goes on after its closing brace")
	}
	return nil
}

// object reads an object and lets visit read the value of each key.
func (s *scanner) object(tensor string, visit func(key string) error) error {
	if err := s.delim(tensor, '{'); err != nil {
		return err
	}
	seen := map[string]struct{}{}
	for s.dec.More() {
		key, err := s.str(tensor)
		if err != nil {
			return err
		}
		if _, twice := seen[key]; twice {
			return s.fail(tensor, fmt.Sprintf("key %s occurs twice", quote(key)))
		}
		seen[key] = struct{}{}
		if err := visit(key); err != nil {
			return err
		}
	}
	return s.delim(tensor, '}')
}

// naturals reads an array of at most limit integers that are not negative.
func (s *scanner) naturals(tensor, key string, limit int) ([]uint64, error) {
	if err := s.delim(tensor, '['); err != nil {
		return nil, err
	}
	var list []uint64
	for s.dec.More() {
		token, err := s.token(tensor)
		if err != nil {
			return nil, err
		}
		value, ok := natural(token)
		if !ok {
			return nil, s.fail(tensor, fmt.Sprintf(
				"%s holds %s, which is not an integer from 0 to 2^63-1", key, show(token)))
		}
		if len(list) == limit {
			return nil, s.fail(tensor, fmt.Sprintf("%s has more than %d values", key, limit))
		}
		list = append(list, value)
	}
	return list, s.delim(tensor, ']')
}

// skip reads any value whatever.
func (s *scanner) skip() error {
	for depth := 0; ; {
		token, err := s.token("")
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (s *scanner) str(tensor string) (string, error) {
	token, err := s.token(tensor)
	if err != nil {
		return "", err
	}
	text, ok := token.(string)
	if !ok {
		return "", s.fail(tensor, fmt.Sprintf("found %s where a string must stand", show(token)))
	}
	return text, nil
}

func (s *scanner) delim(tensor string, want json.Delim) error {
	token, err := s.token(tensor)
	if err != nil {
		return err
	}
	if token != want {
		return s.fail(tensor, fmt.Sprintf("found %s where %q must stand", show(token), want.String()))
	}
	return nil
}

func (s *scanner) token(tensor string) (json.Token, error) {
	token, err := s.dec.Token()
	switch err {
	case nil:
		return token, nil
	case io.EOF, io.ErrUnexpectedEOF:
		return nil, s.fail(tensor, s.what+" is not JSON: it ends too early")
	}
	return nil, s.fail(tensor, fmt.Sprintf("%s is not JSON: %v", s.what, err))
}

// fail is the error at the present position.
func (s *scanner) fail(tensor, reason string) *Error {
	return &Error{
		File: s.file, Tensor: tensor, Offset: s.base + s.dec.InputOffset(),
		Reason: reason, Hint: hintDamaged,
	}
}

// natural reads digits alone: a sign, a fraction or an exponent is refused.
func natural(token json.Token) (value uint64, ok bool) {
	number, ok := token.(json.Number)
	if !ok {
		return 0, false
	}
	for _, c := range []byte(number) {
		if c < '0' || c > '9' || value > (1<<63-1-uint64(c-'0'))/10 {
			return 0, false
		}
		value = value*10 + uint64(c-'0')
	}
	return value, true
}

// show prints a token for a message.
func show(token json.Token) string {
	switch v := token.(type) {
	case nil:
		return "null"
	case string:
		return quote(v)
	case json.Number:
		return clip(v.String())
	}
	return fmt.Sprint(token)
}

// clip bounds the length of a number for a message.
func clip(number string) string {
	const most = 40
	if len(number) > most {
		return number[:most] + "..."
	}
	return number
}
