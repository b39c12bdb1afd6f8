package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	configFile   = "tokenizer_config.json"
	specialsFile = "special_tokens_map.json"

	maxConfigBytes = 16 << 20
	maxTokenID     = maxPieces
)

// config is what the JSON files add to the model.
type config struct {
	roles        specialTexts // texts of bos, eos, unk, pad and the additional tokens
	added        []addedToken // added_tokens_decoder, by id
	addBOS       bool
	addEOS       bool
	listsAdded   bool   // the configuration has an added_tokens_decoder
	chatTemplate string // the Jinja text, or "" for none
	templateFile string
}

// specialTexts are the named special tokens; an empty text is an absent one.
type specialTexts struct {
	bos, eos, unk, pad string
	additional         []string
}

// addedToken is one entry of added_tokens_decoder.
type addedToken struct {
	id      int32
	text    string
	special bool
}

// jsonToken is a token in either spelling of the files: a string or an object.
type jsonToken struct {
	Content    string `json:"content"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	SingleWord bool   `json:"single_word"`
	Special    bool   `json:"special"`
}

// UnmarshalJSON reads "text" or {"content": "text", ...}.
func (t *jsonToken) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &t.Content)
	}
	type object jsonToken
	return json.Unmarshal(data, (*object)(t))
}

// lenientBool is a boolean that some configurations spell as a string.
type lenientBool bool

// UnmarshalJSON reads true, "true" or "True", and the like for false.
func (b *lenientBool) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseBool(strings.ToLower(strings.Trim(string(data), `"`)))
	if err != nil {
		return fmt.Errorf("%s is not a boolean", data)
	}
	*b = lenientBool(v)
	return nil
}

type jsonSpecials struct {
	BOS        *jsonToken  `json:"bos_token"`
	EOS        *jsonToken  `json:"eos_token"`
	UNK        *jsonToken  `json:"unk_token"`
	Pad        *jsonToken  `json:"pad_token"`
	Additional []jsonToken `json:"additional_special_tokens"`
}

type jsonConfig struct {
	jsonSpecials
	AddBOS   *lenientBool         `json:"add_bos_token"`
	AddEOS   *lenientBool         `json:"add_eos_token"`
	Added    map[string]jsonToken `json:"added_tokens_decoder"`
	Template json.RawMessage      `json:"chat_template"`
}

// readConfig reads the JSON files that get has. The Pangu class adds a bos unless the
// configuration says no; without any configuration neither bos nor eos is added.
func readConfig(get func(string) ([]byte, error)) (*config, error) {
	c := &config{}
	var main jsonConfig
	found, err := readJSON(get, configFile, &main)
	if err != nil {
		return nil, err
	}
	c.addBOS = found && (main.AddBOS == nil || bool(*main.AddBOS))
	c.addEOS = main.AddEOS != nil && bool(*main.AddEOS)
	c.listsAdded = main.Added != nil
	if c.roles, err = main.texts(configFile); err != nil {
		return nil, err
	}
	if c.added, err = addedTokens(main.Added); err != nil {
		return nil, err
	}
	if err := c.setTemplate(main.Template); err != nil {
		return nil, err
	}
	return c, c.readSpecials(get)
}

// readSpecials merges special_tokens_map.json, which must not contradict the main file.
func (c *config) readSpecials(get func(string) ([]byte, error)) error {
	var file jsonSpecials
	if _, err := readJSON(get, specialsFile, &file); err != nil {
		return err
	}
	texts, err := file.texts(specialsFile)
	if err != nil {
		return err
	}
	for _, role := range []struct {
		name     string
		dst, src *string
	}{
		{"bos_token", &c.roles.bos, &texts.bos},
		{"eos_token", &c.roles.eos, &texts.eos},
		{"unk_token", &c.roles.unk, &texts.unk},
		{"pad_token", &c.roles.pad, &texts.pad},
	} {
		if *role.dst != "" && *role.src != "" && *role.dst != *role.src {
			return configError(specialsFile, role.name,
				"%q contradicts %q in %s: make both files say the same",
				*role.src, *role.dst, configFile)
		}
		*role.dst = max(*role.dst, *role.src)
	}
	c.roles.additional = append(c.roles.additional, texts.additional...)
	return nil
}

func readJSON(get func(string) ([]byte, error), name string, dst any) (bool, error) {
	data, found, err := getFile(get, name, maxConfigBytes)
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(data, dst); err != nil {
		return false, configError(name, "", "%v", err)
	}
	return true, nil
}

func (j jsonSpecials) texts(file string) (specialTexts, error) {
	s := specialTexts{}
	for _, role := range []struct {
		name string
		tok  *jsonToken
		dst  *string
	}{
		{"bos_token", j.BOS, &s.bos}, {"eos_token", j.EOS, &s.eos},
		{"unk_token", j.UNK, &s.unk}, {"pad_token", j.Pad, &s.pad},
	} {
		if role.tok == nil {
			continue
		}
		if err := role.tok.check(file, role.name); err != nil {
			return s, err
		}
		*role.dst = role.tok.Content
	}
	for i, tok := range j.Additional {
		field := fmt.Sprintf("additional_special_tokens[%d]", i)
		if err := tok.check(file, field); err != nil {
			return s, err
		}
		s.additional = append(s.additional, tok.Content)
	}
	return s, nil
}

func (t jsonToken) check(file, field string) error {
	switch {
	case t.Content == "":
		return configError(file, field, "the token has no text")
	case t.LStrip || t.RStrip || t.SingleWord:
		return configError(file, field,
			"%q has lstrip, rstrip or single_word set, which is not supported", t.Content)
	}
	return nil
}

func addedTokens(byID map[string]jsonToken) ([]addedToken, error) {
	var added []addedToken
	for _, key := range slices.Sorted(maps.Keys(byID)) {
		tok := byID[key]
		field := fmt.Sprintf("added_tokens_decoder[%q]", key)
		id, err := strconv.ParseUint(key, 10, 31)
		if err != nil || id >= maxTokenID || strconv.FormatUint(id, 10) != key {
			return nil, configError(configFile, field,
				"the key is not a token id from 0 to %d", maxTokenID-1)
		}
		if err := tok.check(configFile, field); err != nil {
			return nil, err
		}
		added = append(added, addedToken{id: int32(id), text: tok.Content, special: tok.Special})
	}
	slices.SortFunc(added, func(a, b addedToken) int { return int(a.id) - int(b.id) })
	return added, nil
}

// setTemplate takes chat_template where it is one string, or joins a list of named
// templates: Chat only looks for the Pangu marks in it.
func (c *config) setTemplate(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	c.templateFile = configFile
	if json.Unmarshal(raw, &c.chatTemplate) == nil {
		return nil
	}
	var named []struct {
		Template string `json:"template"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return configError(configFile, "chat_template",
			"neither a string nor a list of named templates")
	}
	for _, n := range named {
		c.chatTemplate += n.Template
	}
	return nil
}
