package synth

import "testing"

func TestSetLayers(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"rest is kept", "{ \"a\" : [1,\n 2],\"num_hidden_layers\" :48 , \"é\":1e-5}\n",
			"{ \"a\" : [1,\n 2],\"num_hidden_layers\" :2 , \"é\":1e-5}\n"},
		{"nested keys are not meant", `{"x":{"num_hidden_layers":48},"num_hidden_layers":48}`,
			`{"x":{"num_hidden_layers":48},"num_hidden_layers":2}`},
		{"lists by layer", `{"layer_types":["a","b","c"],"num_hidden_layers":3,"mlp_only_layers":[0,2]}`,
			`{"layer_types":["a", "b"],"num_hidden_layers":2,"mlp_only_layers":[0]}`},
		{"lists that fit", `{"layer_types": null,"num_hidden_layers":3,"mlp_only_layers":[ ]}`,
			`{"layer_types": null,"num_hidden_layers":2,"mlp_only_layers":[ ]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := setLayers([]byte(c.in), 2)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestSetLayersErrors(t *testing.T) {
	const notJSON = "config.json: is not a JSON object"
	for _, c := range []struct{ in, want string }{
		{``, notJSON}, {`[]`, notJSON}, {`{"a":}`, notJSON}, {`{"a" 1}`, notJSON},
		{`{"a":1}`, "config.json: num_hidden_layers is missing"},
	} {
		if _, err := setLayers([]byte(c.in), 2); err == nil || err.Error() != c.want {
			t.Errorf("%s gives %v, want %s", c.in, err, c.want)
		}
	}
}

// FuzzSetLayers checks that no text makes the splice panic or change what it must not.
func FuzzSetLayers(f *testing.F) {
	for _, seed := range []string{
		`{"num_hidden_layers":48}`, `{"num_hidden_layers":48,"mlp_only_layers":[1,2]`,
		`{"num_hidden_layers":1,"num_hidden_layers":2}`, `{`,
		`{"a":{"b":[{}]},"num_hidden_layers" : null,"layer_types":[1,2,3,4,5,6,7,8]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		once, err := setLayers(config, 7)
		if err != nil {
			return
		}
		twice, err := setLayers(once, 7)
		if err != nil || string(twice) != string(once) {
			t.Errorf("%q becomes %q, and that %q (%v)", config, once, twice, err)
		}
	})
}
