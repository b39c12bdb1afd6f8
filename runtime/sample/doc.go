// Package sample turns one row of logits into the next token: temperature, top-k, top-p and
// a seeded generator, and gives the log-probabilities that perplexity is made of.
//
// The same logits, parameters and seed give the same tokens on every machine: sums run in a
// stated order, exponentials are the package's own, nothing is contracted into fused
// multiply-adds. It must not know models, tokenizers or devices.
package sample
