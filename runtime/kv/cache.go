package kv

import "fmt"

// Cache holds the state of up to MaxSeqs sequences, numbered from 0, all empty at first.
//
// Page, Row and Write may run concurrently with one another as long as no two touch the
// same slot, sequence and position, one of them writing. Reserve, Truncate, Fork and
// Release need exclusive use. Arguments out of range are bugs of the caller and panic.
type Cache struct {
	config Config
	pools  []pool // by slot
	free   []int32
	refs   []int32 // sequences that hold a page, by page
	seqs   []sequence
}

// sequence is a row of pages; there are always as many as its length takes.
type sequence struct {
	pages  []int32
	length int
}

// New allocates a cache.
func New(c Config) (*Cache, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	pages := c.Pages()
	cache := &Cache{config: c, refs: make([]int32, pages), seqs: make([]sequence, c.MaxSeqs)}
	for _, s := range c.Slots {
		cache.pools = append(cache.pools, newPool(s, c.PageTokens, pages))
	}
	for page := pages - 1; page >= 0; page-- {
		cache.free = append(cache.free, int32(page))
	}
	return cache, nil
}

// Config is the configuration with defaults filled in.
func (c *Cache) Config() Config { return c.config }

// FreePages is the number of pages no sequence holds.
func (c *Cache) FreePages() int { return len(c.free) }

// Len is the number of positions of a sequence; 0 if it is empty or was released.
func (c *Cache) Len(seq int) int { return c.sequence(seq).length }

func (c *Cache) sequence(seq int) *sequence {
	if seq < 0 || seq >= len(c.seqs) {
		panic(fmt.Sprintf("BUG: sequence %d of %d", seq, len(c.seqs)))
	}
	return &c.seqs[seq]
}

// Reserve grows a sequence to newLen positions and makes the new ones its own to write,
// copying a shared last page. The new positions hold no defined values until written.
// A newLen up to Len(seq) changes nothing. The errors are *ContextError and
// *OutOfPagesError.
func (c *Cache) Reserve(seq, newLen int) error {
	s := c.sequence(seq)
	if newLen > c.config.Context {
		return &ContextError{Seq: seq, Len: newLen, Context: c.config.Context}
	}
	if newLen <= s.length {
		return nil
	}
	need := c.pagesOf(newLen) - len(s.pages)
	shared := c.sharesLastPage(s)
	if shared {
		need++
	}
	if need > len(c.free) {
		return &OutOfPagesError{Seq: seq, Need: need, Free: len(c.free)}
	}
	if shared {
		c.unshareLastPage(s)
	}
	for len(s.pages) < c.pagesOf(newLen) {
		s.pages = append(s.pages, c.take())
	}
	s.length = newLen
	return nil
}

// sharesLastPage reports whether growing would write into a page that others hold.
func (c *Cache) sharesLastPage(s *sequence) bool {
	return s.length%c.config.PageTokens != 0 && c.refs[s.pages[len(s.pages)-1]] > 1
}

func (c *Cache) unshareLastPage(s *sequence) {
	last := &s.pages[len(s.pages)-1]
	own := c.take()
	for i := range c.pools {
		c.pools[i].copyPage(own, *last, s.length%c.config.PageTokens)
	}
	c.drop(*last)
	*last = own
}

// Truncate forgets the positions from length on and frees the pages only they took.
func (c *Cache) Truncate(seq, length int) {
	s := c.sequence(seq)
	if length < 0 || length > s.length {
		panic(fmt.Sprintf("BUG: sequence %d of %d positions truncated to %d", seq, s.length, length))
	}
	keep := c.pagesOf(length)
	for _, page := range s.pages[keep:] {
		c.drop(page)
	}
	s.pages, s.length = s.pages[:keep], length
}

// Release empties a sequence; its number is free for another.
func (c *Cache) Release(seq int) { c.Truncate(seq, 0) }

// Fork gives the empty sequence dst the positions of src. Both share all pages; who first
// grows into a shared page copies it.
func (c *Cache) Fork(src, dst int) {
	from, to := c.sequence(src), c.sequence(dst)
	if to.length != 0 {
		panic(fmt.Sprintf("BUG: fork into sequence %d, which holds %d positions", dst, to.length))
	}
	to.pages = append(to.pages[:0], from.pages...)
	to.length = from.length
	for _, page := range to.pages {
		c.refs[page]++
	}
}

func (c *Cache) pagesOf(length int) int {
	return (length + c.config.PageTokens - 1) / c.config.PageTokens
}

func (c *Cache) take() int32 {
	last := len(c.free) - 1
	page := c.free[last]
	c.free = c.free[:last]
	c.refs[page] = 1
	return page
}

func (c *Cache) drop(page int32) {
	if c.refs[page]--; c.refs[page] == 0 {
		c.free = append(c.free, page)
	}
}
