package quant

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestOverrideMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, site string
		want          bool
	}{
		{"layers.*.self_attn.*", "layers.3.self_attn.qkv", true},
		{"layers.*.self_attn.*", "layers.3.mlp.experts.down", false},
		{"layers.3", "layers.3", true},
		{"layers.3", "layers.31", false},
		{"*", "", true},
		{"a*a", "a", false}, // the ends may not share a character
		{"a*a", "aa", true},
		{"*ab*ab*", "abxab", true},
		{"*ab*ab*", "xabx", false},
		{"a**b", "ab", true},
		{"a.b", "axb", false},
	} {
		if got := (Override{Pattern: c.pattern}).Match(c.site); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.site, got)
		}
	}
}

func FuzzOverrideMatch(f *testing.F) {
	f.Add("a*b", "ab")
	f.Add("*a*", "xax")
	f.Fuzz(func(t *testing.T, pattern, site string) {
		quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, "(?s:.*)")
		model, err := regexp.Compile(`\A` + quoted + `\z`)
		if err != nil || strings.ToValidUTF8(site, "") != site {
			return // regexp takes UTF-8 only
		}
		if got := (Override{Pattern: pattern}).Match(site); got != model.MatchString(site) {
			t.Fatalf("%q on %q: %v", pattern, site, got)
		}
	})
}

func TestResolve(t *testing.T) {
	sites := []string{"layers.0.self_attn.qkv", "layers.0.mlp.down", "layers.1.self_attn.qkv"}
	base, _ := ParseScheme("w8a8-dynamic")
	var overrides []Override
	for _, text := range []string{"layers.*.self_attn.*=w8a16", "layers.1.*=none"} {
		o, err := ParseOverride(text)
		if err != nil {
			t.Fatal(err)
		}
		overrides = append(overrides, o)
	}
	schemes, err := Resolve(sites, base, overrides)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range schemes {
		names = append(names, s.Name)
	}
	if want := []string{"w8a16", "w8a8-dynamic", "none"}; !reflect.DeepEqual(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestOverrideErrors(t *testing.T) {
	for text, want := range map[string]string{
		"w8a8": `override "w8a8" is not of the form PATTERN=SCHEME, such as layers.*.self_attn.*=w8a16`,
		"=w8a8": `override "=w8a8" is not of the form PATTERN=SCHEME, ` +
			`such as layers.*.self_attn.*=w8a16`,
		"a=w8a9": `override "a=w8a9": unknown quantization scheme "w8a9": did you mean "w8a8"? ` +
			`schemes: none, w8a16, w8a8-dynamic, w8a8`,
	} {
		if _, err := ParseOverride(text); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	o := Override{Pattern: "layers.*.self_atn.*"}
	_, err := Resolve([]string{"head", "layers.0.self_attn.qkv"}, Scheme{}, []Override{o})
	const want = `override pattern "layers.*.self_atn.*" matches no site; ` +
		`the nearest is layers.0.self_attn.qkv`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = Resolve(nil, Scheme{}, []Override{o})
	const none = `override pattern "layers.*.self_atn.*" matches nothing: ` +
		`the model has no sites to quantize`
	if err == nil || err.Error() != none {
		t.Errorf("%v, want %s", err, none)
	}
}
