package hf

// Generation is how the model's authors want text to be sampled.
type Generation struct {
	DoSample    bool    // false (take the likeliest token) if not given
	Temperature float64 // 0..100; 1 if not given
	TopP        float64 // above 0, at most 1; 1 (all tokens) if not given
	TopK        int     // 0 (all tokens) if not given
	EOS         []int64 // token ids that end a text
	BOS, Pad    int64   // token ids, -1 for none; after Load, all ids are those of Config
}

func defaultGeneration() Generation {
	return Generation{Temperature: 1, TopP: 1, BOS: -1, Pad: -1}
}

// ParseGeneration reads generation_config.json from data; name is the file that errors, always
// *Error, name.
func ParseGeneration(name string, data []byte) (*Generation, error) {
	return parseGeneration(name, data, maxVocab)
}

// parseGeneration refuses token ids outside a vocabulary of the given size.
func parseGeneration(name string, data []byte, vocab int64) (*Generation, error) {
	doc, err := parseDocument(name, data)
	if err != nil {
		return nil, err
	}
	r := &reader{document: doc}
	g := defaultGeneration()
	g.DoSample, _ = take(r, boolean, "do_sample")
	g.Temperature = either(r, 1, float(0, 100, true), "temperature")
	g.TopP = either(r, 1, float(0, 1, false), "top_p")
	g.TopK = max(0, either(r, 0, integer(-1, maxInt32), "top_k")) // -1 also means all
	g.EOS = r.list("eos_token_id", true, wide(0, vocab-1))
	g.BOS = either(r, -1, wide(-1, vocab-1), "bos_token_id")
	g.Pad = either(r, -1, wide(-1, maxInt32), "pad_token_id")
	if r.err != nil {
		return nil, r.err
	}
	return &g, nil
}
