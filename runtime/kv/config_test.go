package kv

import (
	"math"
	"testing"

	"moge/ir/dtype"
)

func TestBytes(t *testing.T) {
	c := Config{Slots: testSlots, PageTokens: 4, MaxTokens: 9, MaxSeqs: 1, Context: 9}
	// Three pages of 4 tokens, each 2*3*4 bytes of f32, 5*2 of f16, 2*(4+4) of i8 with scales.
	if want := int64(3 * 4 * (24 + 10 + 16)); c.Bytes() != want || c.Pages() != 3 {
		t.Errorf("%d bytes in %d pages, want %d in 3", c.Bytes(), c.Pages(), want)
	}
	cache := newCache(t, c)
	held := int64(0)
	for _, p := range cache.pools {
		held += int64(4*len(p.f32) + 2*len(p.f16) + len(p.i8) + 4*len(p.scales))
	}
	if held != c.Bytes() {
		t.Errorf("the pools hold %d bytes, promised %d", held, c.Bytes())
	}
	cache = newCache(t, Config{MaxTokens: 1, MaxSeqs: 1, Context: 1})
	if got := cache.Config().PageTokens; got != 256 {
		t.Errorf("default page size %d", got)
	}
}

func TestConfigErrors(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"kv cache: page size in tokens is -1; it must be from 1 to 2147483647": func(c *Config) {
			c.PageTokens = -1
		},
		"kv cache: maximum of tokens is 0; it must be from 1 to 2147483647": func(c *Config) {
			c.MaxTokens = 0
		},
		"kv cache: maximum of sequences is 0; it must be from 1 to 2147483647": func(c *Config) {
			c.MaxSeqs = 0
		},
		"kv cache: context length is 0; it must be from 1 to 2147483647": func(c *Config) {
			c.Context = 0
		},
		"kv cache: number of slots is 0; it must be from 1 to 2147483647": func(c *Config) {
			c.Slots = nil
		},
		`kv cache: slot name "a" is empty or occurs twice`: func(c *Config) {
			c.Slots = []Slot{{"a", 1, 1, dtype.F16}, {"a", 1, 1, dtype.F16}}
		},
		"kv cache: slot a has 0 heads of width 1; both must be positive": func(c *Config) {
			c.Slots = []Slot{{"a", 0, 1, dtype.F16}}
		},
		"kv cache: slot a has element type bf16; it must be f32, f16 or i8": func(c *Config) {
			c.Slots = []Slot{{"a", 1, 1, dtype.BF16}}
		},
		"kv cache: 8 tokens of 1 slots exceed the address space; lower the maximum of tokens": func(
			c *Config) {
			c.Slots = []Slot{{"a", math.MaxInt32, math.MaxInt / 16, dtype.F16}}
		},
	} {
		c := Config{Slots: testSlots, PageTokens: 4, MaxTokens: 8, MaxSeqs: 1, Context: 8}
		change(&c)
		if _, err := New(c); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
