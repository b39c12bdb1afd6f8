// Package kv is the paged cache of attention state: for every sequence and slot the rows of
// its positions, in float32, float16 or int8, in pages of fixed size that sequences share
// until they diverge.
//
// It must not know attention, models or devices: a slot is a name, a number of heads and a
// width. All its memory is known before any is taken (Config.Bytes).
package kv
