package kv

import (
	"fmt"
	"math"

	"moge/ir/dtype"
)

// DefaultPageTokens is the page size where Config gives none.
const DefaultPageTokens = 256

// Slot is one tensor of state a position has, such as the keys of a layer.
type Slot struct {
	Name  string     // for messages
	Heads int        // rows a position has; 1 for a latent
	Width int        // elements a row has
	Type  dtype.Type // F32, F16 or I8; I8 rows have a float32 scale each
}

// Config sizes a cache.
type Config struct {
	Slots      []Slot
	PageTokens int // positions a page holds; 0 takes DefaultPageTokens
	MaxTokens  int // positions that all sequences together may hold, rounded up to pages
	MaxSeqs    int // sequences that may live at a time
	Context    int // positions that one sequence may hold
}

func (c Config) withDefaults() Config {
	if c.PageTokens == 0 {
		c.PageTokens = DefaultPageTokens
	}
	return c
}

// Validate reports the first field that is out of range, a repeated or malformed slot, and
// a cache whose size exceeds the address space.
func (c Config) Validate() error {
	c = c.withDefaults()
	for _, field := range [...]struct {
		what  string
		value int
	}{
		{"page size in tokens", c.PageTokens}, {"maximum of tokens", c.MaxTokens},
		{"maximum of sequences", c.MaxSeqs}, {"context length", c.Context},
		{"number of slots", len(c.Slots)},
	} {
		if field.value <= 0 || field.value > math.MaxInt32 {
			return fmt.Errorf("kv cache: %s is %d; it must be from 1 to %d",
				field.what, field.value, math.MaxInt32)
		}
	}
	if err := c.validateSlots(); err != nil {
		return err
	}
	if _, ok := c.bytes(); !ok {
		return fmt.Errorf("kv cache: %d tokens of %d slots exceed the address space; "+
			"lower the maximum of tokens", c.MaxTokens, len(c.Slots))
	}
	return nil
}

func (c Config) validateSlots() error {
	seen := map[string]bool{}
	for _, s := range c.Slots {
		if s.Name == "" || seen[s.Name] {
			return fmt.Errorf("kv cache: slot name %q is empty or occurs twice", s.Name)
		}
		seen[s.Name] = true
		if s.Heads <= 0 || s.Width <= 0 {
			return fmt.Errorf("kv cache: slot %s has %d heads of width %d; both must be positive",
				s.Name, s.Heads, s.Width)
		}
		if s.Type != dtype.F32 && s.Type != dtype.F16 && s.Type != dtype.I8 {
			return fmt.Errorf("kv cache: slot %s has element type %v; it must be f32, f16 or i8",
				s.Name, s.Type)
		}
	}
	return nil
}

// Pages is the number of pages that MaxTokens takes.
func (c Config) Pages() int {
	c = c.withDefaults()
	return (c.MaxTokens + c.PageTokens - 1) / c.PageTokens
}

// Bytes is the memory the cache allocates for its pages; the bookkeeping beside them is
// 8 bytes a page and 4 bytes for each page of each sequence. The configuration must be
// valid.
func (c Config) Bytes() int64 {
	total, ok := c.bytes()
	if !ok {
		panic("BUG: size of an invalid kv cache configuration")
	}
	return total
}

// bytes is false where the size overflows.
func (c Config) bytes() (total int64, ok bool) {
	c = c.withDefaults()
	pages := int64(c.Pages())
	for _, s := range c.Slots {
		row := int64(s.Width)
		if row > math.MaxInt64/16 {
			return 0, false
		}
		row = s.Type.Bytes(row)
		if s.Type == dtype.I8 {
			row += 4
		}
		size, ok := product(row, int64(s.Heads), int64(c.PageTokens), pages)
		if !ok || size > math.MaxInt-total {
			return 0, false
		}
		total += size
	}
	return total, true
}

// product multiplies positive factors; false if the result exceeds an int.
func product(factors ...int64) (int64, bool) {
	result := int64(1)
	for _, f := range factors {
		if f > math.MaxInt/result {
			return 0, false
		}
		result *= f
	}
	return result, true
}
