package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// suffixes are tried in order, so that "B" comes after all that end in it.
var suffixes = []struct {
	text   string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseSize reads a number of bytes: 1000000, 512MiB or 2GB.
func ParseSize(text string) (int64, error) {
	number, factor := text, int64(1)
	for _, s := range suffixes {
		if rest, ok := strings.CutSuffix(text, s.text); ok {
			number, factor = strings.TrimSuffix(rest, " "), s.factor
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size such as 1000000, 512MiB or 2GB", text)
	}
	return int64(n) * factor, nil
}

// Bytes prints a size in binary units with one decimal.
func Bytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, names := float64(n)/(1<<10), []string{"KiB", "MiB", "GiB", "TiB"}
	for size >= 1023.95 && len(names) > 1 {
		size, names = size/(1<<10), names[1:]
	}
	return fmt.Sprintf("%.1f %s", size, names[0])
}

// Count prints a number of things in thousands, millions or billions once it is large.
func Count(n int64) string {
	if n < 10_000 {
		return strconv.FormatInt(n, 10)
	}
	value, names := float64(n)/1e3, []string{"k", "M", "B", "T"}
	for value >= 999.95 && len(names) > 1 {
		value, names = value/1e3, names[1:]
	}
	return fmt.Sprintf("%.1f %s", value, names[0])
}
