package hf

import "encoding/json"

// Tokenizer is what tokenizer_config.json says about the use of a tokenizer.
type Tokenizer struct {
	Class                                  string // tokenizer_class
	AddBOS, AddEOS                         *bool  // nil if not given: the class has a default
	BOSToken, EOSToken, PadToken, UnkToken string // as text; empty for none
	ChatTemplate                           string // Jinja source of the default template; may be empty
}

// ParseTokenizer reads tokenizer_config.json from data; name is the file that errors, always
// *Error, name.
func ParseTokenizer(name string, data []byte) (*Tokenizer, error) {
	doc, err := parseDocument(name, data)
	if err != nil {
		return nil, err
	}
	r := &reader{document: doc}
	t := &Tokenizer{}
	t.Class, _ = take(r, text, "tokenizer_class")
	t.AddBOS = flag(r, "add_bos_token")
	t.AddEOS = flag(r, "add_eos_token")
	t.BOSToken, _ = take(r, tokenText, "bos_token")
	t.EOSToken, _ = take(r, tokenText, "eos_token")
	t.PadToken, _ = take(r, tokenText, "pad_token")
	t.UnkToken, _ = take(r, tokenText, "unk_token")
	t.ChatTemplate, _ = take(r, chatTemplate, "chat_template")
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// tokenText reads a token as text, or as an object with its text as content.
func tokenText(raw json.RawMessage) (string, string) {
	var token struct{ Content *string }
	if value, problem := text(raw); problem == "" {
		return value, ""
	}
	if json.Unmarshal(raw, &token) != nil || token.Content == nil {
		return "", "a string, or an object with content"
	}
	return *token.Content, ""
}

// chatTemplate reads one template, or the one called default of a list.
func chatTemplate(raw json.RawMessage) (string, string) {
	if value, problem := text(raw); problem == "" {
		return value, ""
	}
	var list []struct{ Name, Template string }
	if json.Unmarshal(raw, &list) == nil {
		for _, t := range list {
			if t.Name == "default" {
				return t.Template, ""
			}
		}
	}
	return "", `a string, or a list with a template named "default"`
}
