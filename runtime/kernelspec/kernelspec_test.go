package kernelspec

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	kind, fields, err := Split([]byte(`{"kind":"a","Width":1,"Tiling":{"Parts":2}}`))
	if err != nil || kind != "a" || string(fields) != `{"Tiling":{"Parts":2},"Width":1}` {
		t.Errorf("%s, %s, %v", kind, fields, err)
	}
	for text, want := range map[string]string{
		"":                           "unexpected EOF",
		`{"kind":"a"`:                "unexpected EOF",
		`7`:                          "json: cannot unmarshal number into Go value of type map[string]json.RawMessage",
		`[]`:                         "nested deeper than a spec is",
		`{"a":{"b":{"c":1}}}`:        "nested deeper than a spec is",
		`{"a":[1]}`:                  "nested deeper than a spec is",
		`{"kind":7}`:                 `no member "kind" with a string`,
		`{"kind":"a"} {}`:            "data behind the object",
		`{"kind":"a","A":1,"a":2}`:   `member "a" twice`,
		`{"kind":"a","Kind":"b"}`:    `member "Kind" twice`,
		`{"a":{"B":1,"b":1}}`:        `member "b" twice`,
		strings.Repeat(" ", 65537):   "65537 bytes, at most 65536",
		`{"kind":"a","A":` + "\x00}": `invalid character '\x00' looking for beginning of value`,
	} {
		if _, _, err := Split([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.40q: error %v, want %s", text, err, want)
		}
	}
}

func TestFields(t *testing.T) {
	type some struct{ Width int }
	if s, err := Fields[some]([]byte(`{"Width":3}`)); err != nil || s.Width != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Fields[some]([]byte(`{"Depth":3}`)); err == nil ||
		err.Error() != `json: unknown field "Depth"` {
		t.Error(err)
	}
}
