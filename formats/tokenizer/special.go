package tokenizer

import (
	"fmt"
	"maps"
	"slices"
)

// Special is one added token of the configuration files.
type Special struct {
	ID   int32
	Text string
	// Control is true for tokens that steer the model, which SkipSpecials leaves out,
	// and false for ordinary words that were added to the vocabulary.
	Control bool
}

// Specials returns the added tokens in the order of their ids: added_tokens_decoder,
// the tokens named as bos, eos, unk and pad, and additional_special_tokens.
func (t *Tokenizer) Specials() []Special { return slices.Clone(t.specials) }

func (t *Tokenizer) sortSpecials() {
	for _, id := range slices.Sorted(maps.Keys(t.added)) {
		tok := t.added[id]
		t.specials = append(t.specials, Special{ID: id, Text: tok.text, Control: tok.special})
	}
}

// BOS returns the id that begins a text, or -1.
func (t *Tokenizer) BOS() int32 { return t.bos }

// EOS returns the id that ends a turn, or -1. For Pangu it is "[unused10]", not "</s>".
func (t *Tokenizer) EOS() int32 { return t.eos }

// UNK returns the id of text outside the vocabulary, or -1.
func (t *Tokenizer) UNK() int32 { return t.unk }

// Pad returns the id that fills up a batch, or -1.
func (t *Tokenizer) Pad() int32 { return t.pad }

// AddBOS reports whether the configuration asks for a bos before every text.
func (t *Tokenizer) AddBOS() bool { return t.addBOS }

// AddEOS reports whether the configuration asks for an eos after every text.
func (t *Tokenizer) AddEOS() bool { return t.addEOS }

// Size returns the number of ids: one more than the largest one that has a text.
func (t *Tokenizer) Size() int { return t.size }

// Piece returns the spelling of an id, with U+2581 for a space, or "" for an id that the
// tokenizer does not have.
func (t *Tokenizer) Piece(id int32) string {
	if tok, ok := t.added[id]; ok {
		return tok.text
	}
	if id < 0 || int(id) >= len(t.v.pieces) {
		return ""
	}
	return t.v.pieces[id].text
}

// ID returns the id of a piece or added token spelled as Piece does.
func (t *Tokenizer) ID(piece string) (int32, bool) {
	if id, ok := t.addedMatch.ids[piece]; ok {
		return id, true
	}
	id, ok := t.v.ids[piece]
	return id, ok
}

// IsControl reports whether an id steers the model instead of being text: a control
// piece, or a special token of the configuration.
func (t *Tokenizer) IsControl(id int32) bool {
	if tok, ok := t.added[id]; ok && tok.special {
		return true
	}
	return id >= 0 && int(id) < len(t.v.pieces) && t.v.pieces[id].typ == typeControl
}

// CheckVocab compares the tokenizer with the vocab_size of a model. A larger model has
// padded its embedding, which is legal; a smaller one would be asked for rows that it
// does not have.
func (t *Tokenizer) CheckVocab(vocab int) error {
	if vocab >= t.size {
		return nil
	}
	what := fmt.Sprintf("%s has %d pieces", modelFile, len(t.v.pieces))
	if t.size > len(t.v.pieces) {
		what += fmt.Sprintf(" and with %s %d ids", configFile, t.size)
	}
	return fmt.Errorf("%s but config.json says vocab_size %d: "+
		"the tokenizer and the model do not belong together, take both from one checkpoint",
		what, vocab)
}
