package sample

// token is a candidate.
type token struct {
	logit float32
	id    int32
}

// before is the rank order: larger logits first, then lower ids.
func (t token) before(other token) bool {
	return t.logit > other.logit || t.logit == other.logit && t.id < other.id
}

// ranking is a binary heap with the first token in rank order at its root. Built in linear
// time and popped only as far as a cut or a draw needs, it replaces sorting a vocabulary.
type ranking struct {
	tokens      []token
	top         float32
	temperature float64
}

// reset takes over a row of logits, in no order; build makes it a heap.
func (h *ranking) reset(logits []float32, top float32, temperature float64) {
	h.tokens = h.tokens[:0]
	for id, v := range logits {
		h.tokens = append(h.tokens, token{v, int32(id)})
	}
	h.top, h.temperature = top, temperature
}

// weight is the unnormalized probability of a token, 1 for the largest logit.
func (h *ranking) weight(t token) float64 {
	return exp((float64(t.logit) - float64(h.top)) / h.temperature)
}

func (h *ranking) build() {
	for i := len(h.tokens)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

// pop removes and returns the first token in rank order.
func (h *ranking) pop() token {
	first, last := h.tokens[0], len(h.tokens)-1
	h.tokens[0] = h.tokens[last]
	h.tokens = h.tokens[:last]
	if last > 0 {
		h.sink(0)
	}
	return first
}

func (h *ranking) sink(i int) {
	tokens := h.tokens
	moving := tokens[i]
	for {
		child := 2*i + 1
		if child >= len(tokens) {
			break
		}
		if child+1 < len(tokens) && tokens[child+1].before(tokens[child]) {
			child++
		}
		if !tokens[child].before(moving) {
			break
		}
		tokens[i] = tokens[child]
		i = child
	}
	tokens[i] = moving
}
