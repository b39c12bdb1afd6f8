package balance

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// small counts four tokens of a router that takes 2 of 4 experts, on 2 devices, in batches of 2.
func small(t *testing.T) *Load {
	t.Helper()
	l, err := NewLoad(Router{4, 2, 0}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		layer  int
		ids    []int32
		tokens int
	}{{3, []int32{0, 1, 1, 0}, 2}, {1, []int32{2, 3}, 1}, {3, []int32{0, 2, 3, 1, 0, 3}, 3}} {
		if err := l.Add(step.layer, step.ids, step.tokens); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func TestLoad(t *testing.T) {
	want := &ExpertLoad{Experts: 4, TopK: 2, EP: 2, Batch: 2, Ideal: 0.5, Layers: []LayerLoad{
		{Layer: 1, Tokens: 1, Busiest: 2, BusiestShare: 1, Pairs: []Pair{{2, 3, 1}},
			Experts: []int64{0, 0, 1, 1}, Together: [][]int64{{}, {0}, {0, 0}, {0, 0, 1}}},
		// Batches {0,1},{1,0}: 4 rows on device 0, none on 1. {0,2},{3,1}: 2 and 2. {0,3} is no batch.
		{Layer: 3, Tokens: 5, Busiest: 0, BusiestShare: 0.8,
			Imbalance: &Imbalance{Batches: 2, Mean: 1, Most: 2, Above: 0.5},
			Pairs:     []Pair{{0, 1, 0.4}, {0, 2, 0.2}, {0, 3, 0.2}, {1, 3, 0.2}},
			Experts:   []int64{4, 3, 1, 2}, Together: [][]int64{{}, {2}, {1, 0}, {1, 1, 0}}},
	}}
	got := small(t).Report()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestLoadDoesNotDependOnSteps(t *testing.T) {
	a, err := NewLoad(Router{4, 2, 0}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range [][]int32{{0, 1}, {1, 0}, {0, 2}, {3, 1}, {0, 3}} {
		if err := a.Add(3, ids, 1); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := a.Report().Layers[0], small(t).Report().Layers[1]; !reflect.DeepEqual(got, want) {
		t.Errorf("one by one\n%+v\nat once\n%+v", got, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct {
		router    Router
		ep, batch int
		want      string
	}{
		{Router{0, 0, 0}, 1, 16, "0 of 0 experts a token: loads are counted for at most 1024"},
		{Router{2048, 8, 0}, 1, 16, "8 of 2048 experts a token: loads are counted for at most 1024"},
		{Router{64, 8, 8}, 7, 16, "64 experts do not lie evenly on 7 ranks"},
		{Router{64, 8, 8}, 8, 0, "a batch of 0 tokens has no score"},
	} {
		if _, err := NewLoad(c.router, c.ep, c.batch); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for _, c := range []struct {
		ids  []int32
		want string
	}{
		{[]int32{1}, "layer 2: 1 expert choices of 1 tokens, want 2 each"},
		{[]int32{1, 4}, "layer 2: a token chose the experts [1 4], want 2 different ones below 4"},
		{[]int32{1, 1}, "layer 2: a token chose the experts [1 1], want 2 different ones below 4"},
		{[]int32{-1, 1}, "layer 2: a token chose the experts [-1 1], want 2 different ones below 4"},
	} {
		if err := small(t).Add(2, c.ids, 1); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// file is the report that small would be stored as.
func file(t testing.TB, l *ExpertLoad) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"schema": LoadSchema, "experts": l})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestParseLoad(t *testing.T) {
	want := small(t).Report()
	got, err := ParseLoad([]byte(file(t, want)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, c := range []struct{ old, with, want string }{
		{"{", "", "no JSON report: "},
		{"moge.eval/1", "moge.eval/2", `the report has schema "moge.eval/2", want moge.eval/1`},
		{`"experts":{`, `"others":{`,
			"the report has no expert load: make it with moge eval --experts --json"},
		{`"ep":2`, `"ep":3`, "4 experts do not lie evenly on 3 ranks"},
		{`"layer":3`, `"layer":1`, "layer 1 does not come in order"},
		{`"groups":0`, `"groups":-1`, "2 layers and -1 groups of 4 experts"},
		{`"tokens":5`, `"tokens":6`, "layer 3: 10 choices, want 12"},
		{`[4,3,1,2]`, `[4,3,1]`, "layer 3: 5 tokens and tables of 3 and 4 experts, want 4"},
		{`[4,3,1,2]`, `[6,1,1,2]`, "layer 3: 6 of 5 tokens"},
		{`[1,1,0]]`, `[1,1]]`, "layer 3: the table of pairs has 2 entries in row 3"},
		{`[1,1,0]]`, `[1,1,1]]`, "layer 3: 6 choices, want 5"},
		{`"batches":2`, `"batches":3`, "layer 3: 3 batches of 2 tokens in 5"},
		{`"most":2`, `"most":0`, "layer 3: imbalance scores of 1 to 0, 0.5 of them above 0"},
	} {
		_, err := ParseLoad([]byte(strings.Replace(file(t, want), c.old, c.with, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || c.old != "{" && err.Error() != c.want {
			t.Errorf("%s for %s: got %v, want %s", c.with, c.old, err, c.want)
		}
	}
}

func TestParseLoadComputesAgain(t *testing.T) {
	text := strings.NewReplacer(`"busiest":0`, `"busiest":99`, `"busiest_share":0.8`, `"busiest_share":7`,
		`"ideal_share":0.5`, `"ideal_share":-1`).Replace(file(t, small(t).Report()))
	got, err := ParseLoad([]byte(text))
	if err != nil || !reflect.DeepEqual(got, small(t).Report()) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzParseLoad(f *testing.F) {
	l, err := NewLoad(Router{4, 2, 2}, 2, 1)
	if err != nil {
		f.Fatal(err)
	}
	if err := l.Add(0, []int32{0, 3}, 1); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(file(f, l.Report())))
	f.Add([]byte(`{"schema":"moge.eval/1","experts":{"experts":1,"experts_per_token":1,"ep":1,"batch":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseLoad(data)
		if err != nil {
			return
		}
		for _, l := range got.Layers {
			if l.Busiest >= len(l.Experts) || l.BusiestShare > 1 {
				t.Errorf("%+v", l)
			}
		}
	})
}
