package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// cursor reads one line of IR text and keeps the first error.
type cursor struct {
	rest string
	err  error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// skip consumes text if it is next.
func (c *cursor) skip(text string) bool {
	if c.err != nil || !strings.HasPrefix(c.rest, text) {
		return false
	}
	c.rest = c.rest[len(text):]
	return true
}

// want consumes text, which must be next.
func (c *cursor) want(text string) {
	if c.err == nil && !c.skip(text) {
		c.fail("want %q before %q", text, clip(c.rest))
	}
}

// word consumes up to, not including, the next stop; without one it fails.
func (c *cursor) word(stop string) string {
	at := strings.Index(c.rest, stop)
	if c.err != nil || at <= 0 {
		c.fail("want a name before %q in %q", stop, clip(c.rest))
		return ""
	}
	word := c.rest[:at]
	c.rest = c.rest[at:]
	return word
}

// quoted consumes a quoted string in the spelling of strconv.Quote.
func (c *cursor) quoted() string {
	if c.err != nil {
		return ""
	}
	raw, err := strconv.QuotedPrefix(c.rest)
	text, err2 := strconv.Unquote(raw)
	if err != nil || err2 != nil || strconv.Quote(text) != raw {
		c.fail("want a quoted string before %q", clip(c.rest))
		return ""
	}
	c.rest = c.rest[len(raw):]
	return text
}

// number consumes %7; at most nine digits, no leading zero.
func (c *cursor) number() int {
	c.want("%")
	digits := 0
	for digits < len(c.rest) && c.rest[digits] >= '0' && c.rest[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 9 || digits > 1 && c.rest[0] == '0' {
		c.fail("want a value number before %q", clip(c.rest))
	}
	if c.err != nil {
		return 0
	}
	n, _ := strconv.Atoi(c.rest[:digits])
	c.rest = c.rest[digits:]
	return n
}

// attrText consumes the spelling of an attribute's value.
func (c *cursor) attrText(kind AttrKind) string {
	if c.err != nil {
		return ""
	}
	end := strings.IndexAny(c.rest, ",}")
	if kind == StringAttr {
		raw, err := strconv.QuotedPrefix(c.rest)
		if err != nil {
			c.fail("want a quoted string before %q", clip(c.rest))
			return ""
		}
		end = len(raw)
	}
	if end < 0 {
		c.fail("want } in %q", clip(c.rest))
		return ""
	}
	text := c.rest[:end]
	c.rest = c.rest[end:]
	return text
}

// typeText consumes a type, up to its closing bracket.
func (c *cursor) typeText() string {
	at := strings.IndexByte(c.rest, ']')
	if c.err != nil || at < 0 {
		c.fail("want a type before %q", clip(c.rest))
		return ""
	}
	text := c.rest[:at+1]
	c.rest = c.rest[at+1:]
	return text
}

func (c *cursor) end() error {
	if c.err == nil && c.rest != "" {
		c.fail("unexpected %q", clip(c.rest))
	}
	return c.err
}

// clip shortens text for messages.
func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}
