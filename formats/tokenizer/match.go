package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// matcher finds the longest of a set of texts at the start of a string.
type matcher struct {
	ids  map[string]int32
	lens [256][]int // lengths of the texts that start with a byte, longest first
}

func newMatcher() *matcher { return &matcher{ids: map[string]int32{}} }

func (m *matcher) add(text string, id int32) {
	m.ids[text] = id
	lens := &m.lens[text[0]]
	longestFirst := func(a, b int) int { return b - a }
	if i, found := slices.BinarySearchFunc(*lens, len(text), longestFirst); !found {
		*lens = slices.Insert(*lens, i, len(text))
	}
}

// prefix returns the length and the id of the longest text that s starts with; length 0
// means none.
func (m *matcher) prefix(s string) (int, int32) {
	if s == "" {
		return 0, -1
	}
	for _, n := range m.lens[s[0]] {
		if n > len(s) {
			continue
		}
		if id, ok := m.ids[s[:n]]; ok {
			return n, id
		}
	}
	return 0, -1
}

// runeLen is the length of the first character of a string that is not empty.
func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}
