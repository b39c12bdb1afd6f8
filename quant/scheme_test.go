package quant

import (
	"reflect"
	"testing"
)

func TestSchemes(t *testing.T) {
	var names []string
	for _, s := range Schemes() {
		names = append(names, s.Name)
		got, err := ParseScheme(s.Name)
		if err != nil || got != s {
			t.Errorf("ParseScheme(%q) = %v, %v", s.Name, got, err)
		}
		if s.Quantized() != (s.Activation != ActNone) || s.Summary == "" {
			t.Errorf("inconsistent row %+v", s)
		}
		if s.NeedsStats() != (s.Name == "w8a8") {
			t.Errorf("%s: NeedsStats is %v", s.Name, s.NeedsStats())
		}
	}
	want := []string{"none", "w8a16", "w8a8-dynamic", "w8a8"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("order %v, want %v", names, want)
	}
}

func TestParseSchemeErrors(t *testing.T) {
	const list = " schemes: none, w8a16, w8a8-dynamic, w8a8"
	for name, want := range map[string]string{
		"W8A16":         `unknown quantization scheme "W8A16": did you mean "w8a16"?`,
		"w8a8-dynamc":   `unknown quantization scheme "w8a8-dynamc": did you mean "w8a8-dynamic"?`,
		"w8a8-dynamic ": `unknown quantization scheme "w8a8-dynamic ": did you mean "w8a8-dynamic"?`,
		"":              `unknown quantization scheme "": did you mean "none"?`,
	} {
		if _, err := ParseScheme(name); err == nil || err.Error() != want+list {
			t.Errorf("ParseScheme(%q):\n%v\nwant\n%s", name, err, want+list)
		}
	}
}

func TestActivationString(t *testing.T) {
	if got := ActStatic.String() + " " + Activation(9).String(); got != "static activation(9)" {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []string
		want  string
	}{
		{"kitten", []string{"mitten", "sitting"}, "mitten"},
		{"ab", []string{"xb", "ax"}, "xb"}, // a tie: the first
		{"äb", []string{"abc", "öb"}, "öb"},
		{"", []string{"long", "s"}, "s"},
		{"any", nil, ""},
	} {
		if got := Nearest(c.name, c.names); got != c.want {
			t.Errorf("Nearest(%q, %q) = %q, want %q", c.name, c.names, got, c.want)
		}
	}
	if d := editDistance([]rune("kitten"), []rune("sitting")); d != 3 {
		t.Errorf("kitten to sitting takes %d edits, want 3", d)
	}
}
