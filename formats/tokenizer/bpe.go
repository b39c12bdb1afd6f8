package tokenizer

import "unicode/utf8"

// symbol is a span of the normalized text in a doubly linked list. A symbol that was
// merged into its left neighbour has size 0.
type symbol struct {
	start, size int
	prev, next  int // -1 at the ends
	frozen      bool
}

// bpe merges the symbols of one text: Model::SampleEncode of sentencepiece's
// bpe_model.cc without dropout. n characters give at most 3n agenda entries.
type bpe struct {
	v       *vocab
	banned  []bool // pieces that must not come out, by id; nil for none
	text    string
	symbols []symbol
	agenda  agenda
	lookups int
	// splits remembers, for an unused piece, the size of the left part it was made of.
	splits map[string]int
}

func newBPE(v *vocab, banned []bool, user *matcher, text string) *bpe {
	b := &bpe{
		v: v, banned: banned, text: text,
		symbols: make([]symbol, 0, utf8.RuneCountInString(text)),
	}
	if v.unused {
		b.splits = map[string]int{}
	}
	for pos := 0; pos < len(text); {
		size, _ := user.prefix(text[pos:])
		frozen := size > 0
		if !frozen {
			size = runeLen(text[pos:])
		}
		i := len(b.symbols)
		b.symbols = append(b.symbols, symbol{
			start: pos, size: size, prev: i - 1, next: i + 1, frozen: frozen,
		})
		pos += size
	}
	if n := len(b.symbols); n > 0 {
		b.symbols[n-1].next = -1
	}
	return b
}

// run merges until no pair of neighbours is a piece.
func (b *bpe) run() {
	for i := 1; i < len(b.symbols); i++ {
		b.consider(i-1, i)
	}
	for len(b.agenda.heap) > 0 {
		m := b.agenda.pop()
		left, right := &b.symbols[m.left], &b.symbols[m.right]
		if left.size == 0 || right.size == 0 || left.size+right.size != m.size {
			continue
		}
		left.size = m.size
		left.next = right.next
		right.size = 0
		if left.next >= 0 {
			b.symbols[left.next].prev = m.left
		}
		b.consider(left.prev, m.left)
		b.consider(m.left, left.next)
	}
}

// consider puts the pair on the agenda if its joined text is a piece.
func (b *bpe) consider(left, right int) {
	if left < 0 || right < 0 {
		return
	}
	l, r := b.symbols[left], b.symbols[right]
	size := l.size + r.size
	if l.frozen || r.frozen || size > b.v.maxBytes {
		return
	}
	b.lookups++
	text := b.text[l.start : l.start+size]
	id, ok := b.v.ids[text]
	if !ok || b.isBanned(id) || !b.v.pieces[id].typ.mergeable() {
		return
	}
	b.agenda.push(merge{score: b.v.pieces[id].score, left: left, right: right, size: size})
	if b.v.pieces[id].typ == typeUnused {
		b.splits[text] = l.size
	}
}

func (b *bpe) isBanned(id int32) bool { return b.banned != nil && b.banned[id] }

// emit appends the ids of the symbols.
func (b *bpe) emit(ids []int32) []int32 {
	prevUnk := false
	for i := 0; i >= 0 && i < len(b.symbols); i = b.symbols[i].next {
		s := b.symbols[i]
		ids, prevUnk = b.emitText(ids, b.text[s.start:s.start+s.size], prevUnk)
	}
	return ids
}

// emitText appends the ids of one symbol: its piece, the parts of an unused piece, the
// bytes of an unknown text, or one unknown id for a run of unknown texts. A character
// that is itself an unused or a reserved piece is unknown, as in sentencepiece 0.2.3;
// releases up to 0.2.0 gave its id.
func (b *bpe) emitText(ids []int32, text string, prevUnk bool) ([]int32, bool) {
	id, ok := b.v.ids[text]
	known := ok && !b.isBanned(id)
	if known && b.v.pieces[id].typ == typeUnused {
		if split, ok := b.splits[text]; ok {
			ids, prevUnk = b.emitText(ids, text[:split], prevUnk)
			return b.emitText(ids, text[split:], prevUnk)
		}
		known = false
	}
	if known && b.v.pieces[id].typ.mergeable() {
		return append(ids, id), false
	}
	if b.v.byteFallback {
		for i := range len(text) {
			ids = append(ids, b.v.byteID[text[i]])
		}
	} else if !prevUnk {
		ids = append(ids, b.v.unk)
	}
	return ids, true
}
