package cpucard

import "fmt"

// Bounds of specifications: what kernels of any kind have at most, so that counts of elements and of
// bytes stay far below 63 bits.
const (
	maxWidth = 1 << 20
	maxCount = 1 << 28
)

// checker keeps the first fault of a specification.
type checker struct{ err error }

func (c *checker) want(ok bool, field string, value any, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf("%s is %v, must be %s", field, value, fmt.Sprintf(format, args...))
	}
}

func (c *checker) between(field string, value, lo, hi int) {
	c.want(lo <= value && value <= hi, field, value, "%d to %d", lo, hi)
}

// width is a field that is a positive multiple.
func (c *checker) width(field string, value, of int) {
	c.want(value > 0 && value%of == 0 && value <= maxWidth, field, value,
		"a multiple of %d, %d to %d", of, of, maxWidth)
}

// rows is a field that bounds the rows of a launch.
func (c *checker) rows(field string, value int) { c.between(field, value, 1, 1<<16) }

func (c *checker) eps(value float32) {
	c.want(value >= 0 && value < 1, "Eps", value, "at least 0 and below 1")
}

func alignUp(x, to int) int { return (x + to - 1) / to * to }

func either(yes bool, a, b int) int {
	if yes {
		return a
	}
	return b
}
