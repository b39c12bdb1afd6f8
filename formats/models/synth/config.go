package synth

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

var errNotJSON = errors.New("config.json: is not a JSON object")

// span is the text of a value, data[from:to].
type span struct{ from, to int }

// setLayers gives config another number of layers and leaves every other byte alone, but for
// lists that go by layer: mlp_only_layers loses layers that are gone, layer_types its end.
func setLayers(config []byte, layers int) ([]byte, error) {
	values, err := topLevel(config)
	if err != nil {
		return nil, err
	}
	at, ok := values["num_hidden_layers"]
	if !ok {
		return nil, errors.New("config.json: num_hidden_layers is missing")
	}
	edits := []edit{{at, strconv.Itoa(layers)}}
	for _, list := range []struct {
		key  string
		keep func(index int, item json.RawMessage) bool
	}{
		{"mlp_only_layers", func(_ int, item json.RawMessage) bool {
			layer, err := strconv.Atoi(string(item))
			return err != nil || layer < layers
		}},
		{"layer_types", func(index int, _ json.RawMessage) bool { return index < layers }},
	} {
		if at, ok := values[list.key]; ok {
			edits = append(edits, filter(config, at, list.keep)...)
		}
	}
	return apply(config, edits), nil
}

// topLevel finds the values of the keys of the outermost object; of a key given twice, the last.
func topLevel(config []byte) (map[string]span, error) {
	d := json.NewDecoder(bytes.NewReader(config))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotJSON
	}
	values := map[string]span{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, errNotJSON
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errNotJSON
		}
		end := int(d.InputOffset())
		values[key.(string)] = span{end - len(value), end} // the decoder lets only strings be keys
	}
	return values, nil
}

// edit puts text in the place of a value.
type edit struct {
	at   span
	text string
}

// filter drops items of a list; none if the value is no list or loses nothing.
func filter(config []byte, at span, keep func(int, json.RawMessage) bool) []edit {
	var items []json.RawMessage
	if json.Unmarshal(config[at.from:at.to], &items) != nil {
		return nil
	}
	kept := [][]byte{}
	for i, item := range items {
		if keep(i, item) {
			kept = append(kept, item)
		}
	}
	if len(kept) == len(items) {
		return nil
	}
	return []edit{{at, "[" + string(bytes.Join(kept, []byte(", "))) + "]"}}
}

// apply makes edits whose places do not overlap, in any order.
func apply(config []byte, edits []edit) []byte {
	out := make([]byte, 0, len(config)+8)
	for i := 0; i < len(config); i++ {
		found := false
		for _, e := range edits {
			if e.at.from == i {
				out = append(out, e.text...)
				i, found = e.at.to-1, true
				break
			}
		}
		if !found {
			out = append(out, config[i])
		}
	}
	return out
}
