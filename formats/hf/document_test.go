package hf

import (
	"strings"
	"testing"
)

func TestDocumentRefuses(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}"
	for data, want := range map[string]string{
		"":             "f: is not a JSON object",
		"[]":           "f: is not a JSON object",
		"{\"\xff\":1}": "f: is not UTF-8 text",
		`{"a":1`:       "f: is not JSON: it ends too early",
		`{"a":`:        "f: is not JSON: it ends too early",
		`{"a" 1}`:      "f: is not JSON: near byte 5: expected colon after object key",
		`{"a":1,}`: "f: is not JSON: near byte 7: invalid character '}' " +
			"looking for beginning of object key string",
		`{"a":1}{}`:                    "f: goes on after the object's end at byte 8",
		`{"a":1,"a":2}`:                "f: a occurs twice",
		`{"a": NaN}`:                   "f: a is NaN, it must be a finite number",
		`{"a":Infinity}`:               "f: a is Infinity, it must be a finite number",
		`{"a":	-Infinity}`:             "f: a is -Infinity, it must be a finite number",
		`{"a\n":1,"a\n":2}`:            `f: "a\n" occurs twice`,
		deep:                           "f: nests more than 64 levels at byte 68",
		strings.Repeat(" ", maxFile+1): "f: has 16777217 bytes, at most 16777216 are possible",
	} {
		_, err := parseDocument("f", []byte(data))
		wantError(t, err, want)
	}
}

// Brackets inside strings do not count, escaped quotes do not end them.
func TestDepthIgnoresStrings(t *testing.T) {
	text := `{"a":"` + strings.Repeat(`[{\"`, 100) + `","b":[1]}`
	if _, err := parseDocument("f", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("é", 10_000)
	for _, data := range []string{
		`{"` + long + `":1,"` + long + `":2}`,
		`{"hidden_act":["` + long + `"],"model_type":"a"}`,
	} {
		_, err := ParseConfig("f", []byte(data))
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("message of %d bytes", len(err.Error()))
		}
	}
}
