package quant

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
)

const sampleText = `moge-statistics 1
source sha256:0a
calibration sha256:0b
tokens 40
gate_weight before_down
site layers.3.mlp.experts.down 3.25 11
expert 0 0.1 8
expert 1 3.25 3
expert 2 0 0
site layers.3.self_attn.qkv 1e-45 40
end 2
`

func sampleStats(t *testing.T) *Stats {
	t.Helper()
	s := &Stats{Source: "sha256:0a", Calibration: "sha256:0b", Tokens: 40, GateWeight: GateBeforeDown}
	o := NewObserver("layers.3.self_attn.qkv", 0)
	if err := o.Observe(-1, make([]float32, 80), 2); err != nil {
		t.Fatal(err)
	}
	attention := o.Site()
	attention.AMax = math.SmallestNonzeroFloat32
	experts := NewObserver("layers.3.mlp.experts.down", 3)
	for _, rows := range []struct {
		expert, n int
		value     float32
	}{{0, 8, -0.1}, {1, 2, 1}, {1, 1, 3.25}} {
		x := make([]float32, 4*rows.n)
		x[len(x)-1] = rows.value
		if err := experts.Observe(rows.expert, x, 4); err != nil {
			t.Fatal(err)
		}
	}
	for _, site := range []Site{attention, experts.Site()} {
		if err := s.Add(site); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestStatsText(t *testing.T) {
	s := sampleStats(t)
	if got := string(s.Marshal()); got != sampleText {
		t.Fatalf("have\n%s\nwant\n%s", got, sampleText)
	}
	back, err := ParseStats([]byte(sampleText))
	if err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%+v, %v; want %+v", back, err, s)
	}
}

func TestParseStatsErrors(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"version", "statistics 1", "statistics 2",
			`statistics file, line 1: format version "2"; this program reads version 1`},
		{"magic", "moge-statistics 1", "GGUF",
			`statistics file, line 1: want "moge-statistics" and one value, have "GGUF"`},
		{"cut", "end 2\n", "",
			"statistics file, line 11: the file ends without its end line; it was cut short"},
		{"count", "end 2", "end 3", `statistics file, line 11: want "end 2" after 2 sites, have "end 3"`},
		{"tail", "end 2\n", "end 2\nx", "statistics file, line 11: 1 bytes follow the end line"},
		{"tokens", "tokens 40", "tokens 4x",
			`statistics file, line 4: tokens "4x" is not a 64-bit integer`},
		{"place", "before_down", "nowhere",
			`statistics file: gate_weight "nowhere" is neither after_down nor before_down`},
		{"digest", "sha256:0b", "",
			`statistics file: calibration digest "" is not a word of printable ASCII`},
		{"expert order", "expert 1", "expert 2",
			`statistics file, line 8: site layers.3.mlp.experts.down: want expert 1, have "2"`},
		{"expert first", "site layers.3.mlp.experts.down 3.25 11\n", "",
			"statistics file, line 6: expert 0 comes before any site"},
		{"unknown line", "expert 2 0 0", "expart 2 0 0",
			`statistics file, line 9: want a site, expert or end line, have "expart 2 0 0"`},
		{"not a number", "1e-45", "1e99", `statistics file, line 10: range "1e99" is not a float32`},
		{"count word", "1e-45 40", "1e-45 -",
			`statistics file, line 10: token count "-" is not a 64-bit integer`},
		{"infinite", "1e-45", "Inf",
			"statistics file: site layers.3.self_attn.qkv: range +Inf is not a finite magnitude"},
		{"negative zero", "1e-45", "-0",
			"statistics file: site layers.3.self_attn.qkv: range -0 is not a finite magnitude"},
		{"negative tokens", "1e-45 40", "1e-45 -1",
			"statistics file: site layers.3.self_attn.qkv: token count -1 is negative"},
		{"range of nothing", "expert 2 0 0", "expert 2 1 0",
			"statistics file: site layers.3.mlp.experts.down, expert 2: range 1 was measured on no token"},
		{"sum", "3.25 11", "3.25 12", "statistics file: site layers.3.mlp.experts.down " +
			"has range 3.25 over 12 tokens, but its experts 3.25 over 11"},
		{"sum overflows", "expert 2 0 0", "expert 2 0 9223372036854775807",
			"statistics file: site layers.3.mlp.experts.down: " +
				"token counts 11 and 9223372036854775807 exceed 64 bits"},
		{"twice", "layers.3.self_attn.qkv", "a", "statistics file: site a must not follow " +
			"site layers.3.mlp.experts.down: sites ascend by name"},
	} {
		text := strings.Replace(sampleText, c.old, c.new, 1)
		if _, err := ParseStats([]byte(text)); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n%v\nwant\n%s", c.name, err, c.want)
		}
	}
}

func TestStatsAddAndSite(t *testing.T) {
	s := sampleStats(t)
	if err := s.Add(Site{Name: "layers.3.self_attn.qkv"}); err == nil ||
		err.Error() != "site layers.3.self_attn.qkv occurs twice" {
		t.Error(err)
	}
	if err := s.Add(Site{Name: "two words"}); err == nil ||
		err.Error() != `site name "two words" is not a word of printable ASCII` {
		t.Error(err)
	}
	if site, ok := s.Site("layers.3.mlp.experts.down"); !ok || len(site.Experts) != 3 {
		t.Errorf("%+v, %v", site, ok)
	}
	if _, ok := s.Site("layers.3"); ok {
		t.Error("a prefix is no site")
	}
}

func TestStatsMerge(t *testing.T) {
	a, b := sampleStats(t), sampleStats(t)
	b.Sites[0].Experts[2] = Range{AMax: 9, Tokens: 1}
	b.Sites[0].Range = Range{AMax: 9, Tokens: 12}
	if err := b.Add(Site{Name: "head", Range: Range{AMax: 2, Tokens: 5}}); err != nil {
		t.Fatal(err)
	}
	ab, ba := sampleStats(t), sampleStats(t)
	*ba = *b
	if err := ab.Merge(b); err != nil {
		t.Fatal(err)
	}
	if err := ba.Merge(a); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ab.Marshal(), ba.Marshal()) {
		t.Errorf("the order of merging shows:\n%s\n%s", ab.Marshal(), ba.Marshal())
	}
	site, _ := ab.Site("layers.3.mlp.experts.down")
	want := Site{Name: "layers.3.mlp.experts.down", Range: Range{9, 23},
		Experts: []Range{{0.1, 16}, {3.25, 6}, {9, 1}}}
	if !reflect.DeepEqual(site, want) || ab.Tokens != 80 {
		t.Errorf("%+v, %d tokens", site, ab.Tokens)
	}
}

func TestStatsMergeErrors(t *testing.T) {
	for want, change := range map[string]func(*Stats){
		"the checkpoints differ: sha256:0a and z":       func(s *Stats) { s.Source = "z" },
		"the calibration texts differ: sha256:0b and z": func(s *Stats) { s.Calibration = "z" },
		"the gate weight places differ: before_down and after_down": func(s *Stats) {
			s.GateWeight = GateAfterDown
		},
		"token counts exceed 64 bits": func(s *Stats) { s.Tokens = math.MaxInt64 },
		"site layers.3.mlp.experts.down has 3 experts in one and 0 in the other": func(s *Stats) {
			s.Sites[0].Experts = nil
		},
	} {
		want = "cannot merge statistics: " + want
		a, b := sampleStats(t), sampleStats(t)
		change(b)
		if err := a.Merge(b); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if !reflect.DeepEqual(a, sampleStats(t)) {
			t.Errorf("%s: a refused merge changed the receiver", want)
		}
	}
}

func TestRangeFallback(t *testing.T) {
	s := sampleStats(t)
	const site = "layers.3.mlp.experts.down"
	for _, c := range []struct {
		expert   int
		amax     float32
		fallback string
	}{
		{0, 0.1, ""},
		{1, 3.25, "layers.3.mlp.experts.1 (down): 3 tokens, below 8; takes the maximum over 3 experts"},
		{2, 3.25, "layers.3.mlp.experts.2 (down): 0 tokens, below 8; takes the maximum over 3 experts"},
	} {
		amax, fallback, err := s.Range(site, c.expert, 8)
		if err != nil || amax != c.amax || fallback != c.fallback {
			t.Errorf("expert %d: %v, %q, %v", c.expert, amax, fallback, err)
		}
	}
	if amax, _, err := s.Range("layers.3.self_attn.qkv", -1, 100); err != nil || amax != 1e-45 {
		t.Errorf("%v, %v", amax, err)
	}
	want := []string{"layers.3.mlp.experts.1 (down): 3 tokens",
		"layers.3.mlp.experts.2 (down): 0 tokens"}
	if got := s.Uncovered(8); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := s.Uncovered(0); got != nil {
		t.Errorf("%q", got)
	}
}

func TestRangeErrors(t *testing.T) {
	s := sampleStats(t)
	if err := s.Add(Site{Name: "idle"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stats  *Stats
		site   string
		expert int
		want   string
	}{
		{s, "layers.3.self_attn.qkw", -1, "the statistics hold no site layers.3.self_attn.qkw; " +
			"the nearest is layers.3.self_attn.qkv; were they measured on another model?"},
		{&Stats{}, "x", -1, "the statistics hold no site x; they are empty"},
		{s, "layers.3.mlp.experts.down", 3,
			"the statistics hold 3 experts for site layers.3.mlp.experts.down, not expert 3"},
		{s, "layers.3.self_attn.qkv", 0,
			"the statistics hold 0 experts for site layers.3.self_attn.qkv, not expert 0"},
		{s, "idle", -1, "calibration ran no token through site idle; calibrate with more text"},
	} {
		if _, _, err := c.stats.Range(c.site, c.expert, 1); err == nil || err.Error() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

func TestObserverNamesTheFault(t *testing.T) {
	o := NewObserver("layers.1.mlp.experts.down", 2)
	err := o.Observe(1, []float32{1, 2, 3, -inf}, 2)
	const want = "site layers.1.mlp.experts.1 (down): activation -Inf at row 1, column 1; " +
		"the model overflows on the calibration text"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if site := o.Site(); site.Tokens != 0 || site.AMax != 0 {
		t.Errorf("refused rows count: %+v", site)
	}
	if err := NewObserver("s", 0).Observe(-1, []float32{nan}, 1); err == nil || err.Error() !=
		"site s: activation NaN at row 0, column 0; the model overflows on the calibration text" {
		t.Error(err)
	}
	if !panics(func() { _ = o.Observe(-1, nil, 1) }) {
		t.Error("a missing expert is a bug")
	}
	if got := expertName("flat", 2); got != "flat.2" {
		t.Error(got)
	}
}

func FuzzParseStats(f *testing.F) {
	f.Add([]byte(sampleText))
	f.Add([]byte("moge-statistics 1\nsource a\ncalibration b\ntokens 0\n" +
		"gate_weight after_down\nend 0\n"))
	f.Add([]byte("moge-statistics 1\nsource a\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseStats(text)
		if err != nil {
			return
		}
		again, err := ParseStats(s.Marshal())
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v reads back as %+v, %v", s, again, err)
		}
	})
}
