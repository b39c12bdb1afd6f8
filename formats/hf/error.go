package hf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Error says which key of which file cannot be used, and why.
type Error struct {
	File   string // base name
	Key    string // with the keys of enclosing objects and dots; empty where the whole file is meant
	Reason string // what is wrong and what would be right
}

// Error reads as one sentence, such as "config.json: vocab_size is 0, it must be ...".
func (e *Error) Error() string {
	if e.Key == "" {
		return e.File + ": " + e.Reason
	}
	return e.File + ": " + showKey(e.Key) + " " + e.Reason
}

// showKey prints the usual keys as they are and others escaped, their length bounded.
func showKey(key string) string {
	plain := !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	if plain && len(key) <= most {
		return key
	}
	return show(key)
}

// most is the length up to which text from a file is repeated in a message.
const most = 60

// show bounds and escapes text from a file.
func show(text string) string {
	if len(text) > most {
		return fmt.Sprintf("%q...", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

// showValue prints a JSON value for a message.
func showValue(raw []byte) string {
	var text bytes.Buffer
	if json.Compact(&text, raw) != nil {
		return show(string(raw))
	}
	if text.Len() > most {
		return strings.ToValidUTF8(text.String()[:most], "") + "..."
	}
	return text.String()
}
