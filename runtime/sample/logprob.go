package sample

import (
	"fmt"
	"math"
)

// LogProb is the natural log-probability of a token under softmax(logits [vocab]), in
// float64, summed by ascending id. A NaN or +Inf logit gives NaN. id must lie in the
// vocabulary.
func LogProb(logits []float32, id int32) float64 {
	if id < 0 || int(id) >= len(logits) {
		panic(fmt.Sprintf("BUG: token %d of a vocabulary of %d", id, len(logits)))
	}
	top, logTotal := logSumExp(logits)
	return (float64(logits[id]) - top) - logTotal
}

// KL is the Kullback-Leibler divergence, in nats, of softmax(q [vocab]) from
// softmax(p [vocab]): the sum of P log(P/Q), by ascending id. It is +Inf where q excludes a
// token that p does not, and NaN if a logit is NaN or +Inf.
func KL(p, q []float32) float64 {
	if len(p) != len(q) {
		panic(fmt.Sprintf("BUG: divergence between vocabularies of %d and %d", len(p), len(q)))
	}
	topP, logP := logSumExp(p)
	topQ, logQ := logSumExp(q)
	if math.IsNaN(logP) || math.IsNaN(logQ) {
		return math.NaN()
	}
	total := 0.0
	for i := range p {
		lp := (float64(p[i]) - topP) - logP
		lq := (float64(q[i]) - topQ) - logQ
		if probability := exp(lp); probability > 0 {
			total += float64(probability * (lp - lq))
		}
	}
	return total
}

// logSumExp gives the largest logit and the logarithm of the sum of exp(logit - largest);
// both are NaN if a logit is NaN or +Inf or all are -Inf.
func logSumExp(logits []float32) (top, logTotal float64) {
	best, err := largest(logits)
	if err != nil {
		return math.NaN(), math.NaN()
	}
	top = float64(logits[best])
	total := 0.0
	for _, v := range logits {
		total += exp(float64(v) - top)
	}
	return top, log(total)
}
