package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// spaceMark stands for a space inside pieces (U+2581).
const spaceMark = "\u2581"

// normalizer applies a NormalizerSpec without a character map: Normalizer::Normalize of
// sentencepiece's normalizer.cc.
type normalizer struct {
	*model
	user *matcher // texts that are copied as they are
	out  strings.Builder
}

func normalize(m *model, user *matcher, text string) string {
	n := &normalizer{model: m, user: user}
	if m.removeExtraSpace {
		text = n.trimLeft(text)
	}
	if text == "" {
		return ""
	}
	n.out.Grow(len(text) + len(text)/2 + len(spaceMark))
	if m.addDummyPrefix {
		n.out.WriteString(n.space())
	}
	n.copy(text)
	if m.removeExtraSpace {
		return trimRight(n.out.String(), n.space())
	}
	return n.out.String()
}

func (n *normalizer) space() string {
	if n.escapeSpace {
		return spaceMark
	}
	return " "
}

func (n *normalizer) trimLeft(text string) string {
	for text != "" {
		part, size := n.next(text)
		if part != " " {
			break
		}
		text = text[size:]
	}
	return text
}

func trimRight(s, space string) string {
	for strings.HasSuffix(s, space) {
		s = s[:len(s)-len(space)]
	}
	return s
}

func (n *normalizer) copy(text string) {
	prevSpace := n.removeExtraSpace
	for text != "" {
		part, size := n.next(text)
		if prevSpace {
			part = strings.TrimLeft(part, " ")
		}
		if part != "" {
			n.write(part)
			prevSpace = n.removeExtraSpace && strings.HasSuffix(part, " ")
		}
		text = text[size:]
	}
}

func (n *normalizer) write(part string) {
	if n.escapeSpace && strings.Contains(part, " ") {
		part = strings.ReplaceAll(part, " ", spaceMark)
	}
	n.out.WriteString(part)
}

// next returns the first user-defined text or character of text and how many bytes it
// takes. A byte that is not UTF-8 reads as U+FFFD.
func (n *normalizer) next(text string) (string, int) {
	if size, _ := n.user.prefix(text); size > 0 {
		return text[:size], size
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return string(utf8.RuneError), 1
	}
	return text[:size], size
}
