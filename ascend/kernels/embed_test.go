package kernels

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

var testEmbeds = []EmbedSpec{
	{Name: "embed_small", Width: 48, TableRows: 99, MaxTokens: 64},
	{Name: "embed_true", Width: 5120, TableRows: 1000, MaxTokens: 1025},
	{Name: "take_rows", Width: 48, TableRows: 300, MaxTokens: 64, Step: true},
}

func TestEmbed(t *testing.T) {
	r := newRig(t, 64, all(t, Embed, testEmbeds)...)
	for _, s := range testEmbeds {
		for i, tokens := range tokenCounts {
			rows := s.TableRows
			if s.Step {
				rows = tokens + 3
			}
			checkEmbed(t, r, s, tokens, rows, uint64(1+i%2))
		}
	}
}

func checkEmbed(t *testing.T, r *rig, s EmbedSpec, tokens, tableRows int, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 2))
	ids := make([]int32, tokens)
	for i := range ids {
		ids[i] = int32(rnd.IntN(tableRows))
	}
	ids[0] = int32(tableRows - 1)
	table := halves(normals(seed, tableRows*s.Width, 1))
	c := &launch{kernel: s.Name, seed: seed,
		params:  map[string]int{"tokens": tokens, "tableRows": tableRows},
		tensors: map[string][]byte{"ids": ints(spread(ids, 1, lanes)), "table": table}}
	r.run(c)
	bytesPerRow := 2 * s.Width
	for i, id := range ids {
		got := c.tensors["out"][i*bytesPerRow:][:bytesPerRow]
		want := table[int(id)*bytesPerRow:][:bytesPerRow]
		if !bytes.Equal(got, want) {
			t.Fatalf("%s, %d tokens: row %d is not row %d of the table", s.Name, tokens, i, id)
		}
	}
}

func TestEmbedSpecs(t *testing.T) {
	for _, c := range []struct {
		spec EmbedSpec
		want string
	}{
		{EmbedSpec{Name: "a", Width: 24, TableRows: 9, MaxTokens: 1},
			"kernel a: Width is 24, must be a positive multiple of 16"},
		{EmbedSpec{Name: "a", Width: 5120, TableRows: 500000, MaxTokens: 1},
			"kernel a: TableRows is 500000, must be 1 to 419414"},
		{EmbedSpec{Name: "a", Width: 16, TableRows: 9},
			"kernel a: MaxTokens is 0, must be 1 to 8192"},
	} {
		if _, err := Embed(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.spec, err, c.want)
		}
	}
}
