package eval

import (
	"strings"

	"moge/formats/tokenizer"
)

// Windows cuts a text for scoring: it is split at blank lines, each passage becomes bos, its
// ids and the first end of sequence (each only where the model has one), and that is cut
// into windows of at most size tokens. A window of one token, which has nothing to predict,
// is dropped.
func Windows(text string, t *tokenizer.Tokenizer, bos int64, eos []int64, size int) [][]int32 {
	var windows [][]int32
	for passage := range strings.SplitSeq(text, "\n\n") {
		if strings.TrimSpace(passage) == "" {
			continue
		}
		var ids []int32
		if bos >= 0 {
			ids = append(ids, int32(bos))
		}
		ids = append(ids, t.Encode(passage)...)
		if len(eos) > 0 {
			ids = append(ids, int32(eos[0]))
		}
		for len(ids) > 1 {
			n := min(size, len(ids))
			windows, ids = append(windows, ids[:n:n]), ids[n:]
		}
	}
	return windows
}
