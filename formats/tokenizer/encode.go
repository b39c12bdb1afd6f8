package tokenizer

// EncodeOption changes how Encode reads a text.
type EncodeOption uint8

const (
	// WithBOS puts the bos id first where tokenizer_config.json asks for it (AddBOS).
	WithBOS EncodeOption = 1 << iota
	// WithSpecials reads the added tokens of the configuration files (Specials) as their
	// ids and encodes each text in between by itself, as the checkpoint's own tokenizer
	// class does. Use it for text that the caller vouches for.
	WithSpecials
	// WithoutSpecials makes the text unable to yield a special token: the added tokens,
	// the turn marks of the chat template, control pieces and, where the configuration
	// lists no added tokens, all user-defined pieces are spelled out as ordinary text.
	// It outweighs WithSpecials.
	WithoutSpecials
)

// Encode returns the token ids of text; the empty text has none. Without options the
// result is that of SentencePieceProcessor::Encode, with no bos and no eos. Bytes that
// are not UTF-8 read as U+FFFD, one each.
func (t *Tokenizer) Encode(text string, opts ...EncodeOption) []int32 {
	var o EncodeOption
	for _, opt := range opts {
		o |= opt
	}
	ids := make([]int32, 0, len(text)/3+2)
	if o&WithBOS != 0 && t.addBOS {
		ids = append(ids, t.bos)
	}
	switch {
	case o&WithoutSpecials != 0:
		return t.encodePart(ids, text, t.plainUser, t.banned)
	case o&WithSpecials != 0:
		return t.encodeSplit(ids, text)
	}
	return t.encodePart(ids, text, t.user, nil)
}

// encodeSplit cuts text at the added tokens.
func (t *Tokenizer) encodeSplit(ids []int32, text string) []int32 {
	start := 0
	for pos := 0; pos < len(text); {
		size, id := t.addedMatch.prefix(text[pos:])
		if size == 0 {
			pos++
			continue
		}
		ids = t.encodePart(ids, text[start:pos], t.user, nil)
		ids = append(ids, id)
		pos += size
		start = pos
	}
	return t.encodePart(ids, text[start:], t.user, nil)
}

func (t *Tokenizer) encodePart(ids []int32, text string, user *matcher, banned []bool) []int32 {
	text = normalize(t.v.model, user, text)
	b := newBPE(t.v, banned, user, text)
	b.run()
	return b.emit(ids)
}
