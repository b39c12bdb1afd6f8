package tokenizer

import "fmt"

// Tokenizer is a loaded vocabulary with its special tokens. It does not change after
// loading.
type Tokenizer struct {
	v    *vocab
	conf *config

	bos, eos, unk, pad int32
	addBOS, addEOS     bool
	size               int

	added      map[int32]addedToken
	specials   []Special // by id
	addedMatch *matcher  // texts of the added tokens
	user       *matcher  // all user-defined pieces
	plainUser  *matcher  // user-defined pieces that are not banned
	banned     []bool    // pieces that WithoutSpecials never yields, by id
}

func build(m *model, c *config) (*Tokenizer, error) {
	v, err := newVocab(m)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{
		v: v, conf: c, size: len(v.pieces), addBOS: c.addBOS, addEOS: c.addEOS,
		added: map[int32]addedToken{}, addedMatch: newMatcher(),
	}
	for _, tok := range c.added {
		if err := t.addToken(tok); err != nil {
			return nil, err
		}
	}
	if err := t.setRoles(); err != nil {
		return nil, err
	}
	t.setUser()
	t.sortSpecials()
	return t, nil
}

// addToken registers a token of added_tokens_decoder: a piece of the model, or an id
// behind its last piece.
func (t *Tokenizer) addToken(tok addedToken) error {
	field := fmt.Sprintf("added_tokens_decoder[\"%d\"]", tok.id)
	id, known := t.v.ids[tok.text]
	switch {
	case known && id != tok.id:
		return configError(configFile, field, "%q is piece %d of %s", tok.text, id, modelFile)
	case !known && int(tok.id) < len(t.v.pieces):
		return configError(configFile, field, "%q differs from piece %q of %s",
			tok.text, t.v.pieces[tok.id].text, modelFile)
	}
	if other, dup := t.addedMatch.ids[tok.text]; dup {
		return configError(configFile, field, "%q is token %d already", tok.text, other)
	}
	t.added[tok.id] = tok
	t.addedMatch.add(tok.text, tok.id)
	t.size = max(t.size, int(tok.id)+1)
	return nil
}

// setRoles resolves bos, eos, unk and pad: the token that the configuration names, or
// else the piece that the model names.
func (t *Tokenizer) setRoles() error {
	m, r := t.v.model, &t.conf.roles
	for _, role := range []struct {
		field, text, piece string
		typ                pieceType
		dst                *int32
	}{
		{"bos_token", r.bos, m.bosPiece, typeControl, &t.bos},
		{"eos_token", r.eos, m.eosPiece, typeControl, &t.eos},
		{"unk_token", r.unk, m.unkPiece, typeUnknown, &t.unk},
		{"pad_token", r.pad, m.padPiece, typeControl, &t.pad},
	} {
		*role.dst = t.v.typed(role.piece, role.typ)
		if role.text == "" {
			continue
		}
		id, err := t.nameSpecial(role.field, role.text)
		if err != nil {
			return err
		}
		*role.dst = id
	}
	for i, text := range r.additional {
		field := fmt.Sprintf("additional_special_tokens[%d]", i)
		if _, err := t.nameSpecial(field, text); err != nil {
			return err
		}
	}
	if t.addBOS && t.bos < 0 {
		return configError(configFile, "add_bos_token", "true, but there is no bos token")
	}
	return nil
}

// nameSpecial returns the id of a token that the configuration names, and makes it an
// added token.
func (t *Tokenizer) nameSpecial(field, text string) (int32, error) {
	id, ok := t.ID(text)
	if !ok {
		return 0, configError(configFile, field,
			"%q is neither a piece of %s nor in added_tokens_decoder", text, modelFile)
	}
	t.added[id] = addedToken{id: id, text: text, special: true}
	t.addedMatch.add(text, id)
	return id, nil
}

// setUser sorts the pieces into those that WithoutSpecials keeps and those it bans.
func (t *Tokenizer) setUser() {
	t.user, t.plainUser = newMatcher(), newMatcher()
	t.banned = make([]bool, len(t.v.pieces))
	for i, p := range t.v.pieces {
		id := int32(i)
		_, added := t.added[id]
		isUser := p.typ == typeUserDefined
		t.banned[i] = added || p.typ == typeControl || isTurnMark(p.text) ||
			isUser && !t.conf.listsAdded
		if !isUser {
			continue
		}
		t.user.add(p.text, id)
		if !t.banned[i] {
			t.plainUser.add(p.text, id)
		}
	}
}
