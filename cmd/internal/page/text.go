package page

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"moge/cmd/internal/units"
)

// clip is a text for one line of at most n characters. What is not for showing, such as marks that
// turn the direction of writing, is replaced.
func clip(s string, n int) string {
	var b strings.Builder
	count := 0
	for _, r := range s {
		if count == n-1 && len(s) > b.Len()+len(string(r)) {
			b.WriteString("…")
			return b.String()
		}
		if r != ' ' && !unicode.IsGraphic(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
		count++
	}
	return b.String()
}

// long clips what may stand in a paragraph or cell.
func long(s string) string { return clip(s, 200) }

func percent(part, whole float64) string {
	if whole <= 0 {
		return "0 %"
	}
	if part > 0 && part < whole/2000 {
		return "< 0.1 %"
	}
	return strconv.FormatFloat(100*part/whole, 'f', 1, 64) + " %"
}

// seconds prints a time with three digits that count.
func seconds(s *float64) string {
	if s == nil {
		return "–"
	}
	for _, u := range []struct {
		size float64
		name string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
		if *s >= u.size {
			return fmt.Sprintf("%.3g %s", *s/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g ns", *s/1e-9)
}

// bytesOr is a size, or a dash for none.
func bytesOr(n int64) string {
	if n == 0 {
		return "–"
	}
	return units.Bytes(n)
}

// exact is a whole number in groups of three digits.
func exact(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text
}
