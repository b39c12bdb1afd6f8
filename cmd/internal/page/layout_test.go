package page

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"moge/cmd/internal/units"
)

// TestBoxesDoNotOverlap lays random graphs out: every box and every way that passes has room of its
// own.
func TestBoxesDoNotOverlap(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var d dag
		for i := range 2 + random.IntN(30) {
			d.boxes = append(d.boxes, box{W: 2 * (10 + random.IntN(100))})
			for range random.IntN(3) {
				if i > 0 {
					d.links = append(d.links, [2]int{random.IntN(i), i})
				}
			}
		}
		l := d.layout()
		for _, row := range l.rows {
			for i := 1; i < len(row); i++ {
				a, b := l.slots[row[i-1]], l.slots[row[i]]
				if b.x-b.width/2-a.x-a.width/2 < gap {
					t.Fatalf("slots at %d and %d of widths %d and %d are too near", a.x, b.x, a.width, b.width)
				}
			}
		}
		for _, e := range d.links {
			if d.boxes[e[0]].Row >= d.boxes[e[1]].Row {
				t.Fatalf("a link leads from row %d to row %d", d.boxes[e[0]].Row, d.boxes[e[1]].Row)
			}
		}
		for i, b := range d.boxes {
			if b.X < 0 || b.X+b.W > l.width() || b.X != l.slots[i].x-b.W/2 {
				t.Fatalf("a box from %d to %d in a drawing of %d", b.X, b.X+b.W, l.width())
			}
		}
	}
}

// TestChainIsStraight: boxes that follow on each other alone stand below each other, and a way beside
// them has no bend where nothing is in it.
func TestChainIsStraight(t *testing.T) {
	d := dag{boxes: make([]box, 6)}
	for i := range d.boxes {
		d.boxes[i].W = 100
		if i > 0 {
			d.links = append(d.links, [2]int{i - 1, i})
		}
	}
	d.links = append(d.links, [2]int{0, 5})
	l := d.layout()
	for i := 2; i < 5; i++ {
		if d.boxes[i].X != d.boxes[1].X {
			t.Errorf("box %d is at %d, the first of the chain at %d", i, d.boxes[i].X, d.boxes[1].X)
		}
	}
	way := l.passing[0]
	for _, s := range way {
		if l.slots[s].x != l.slots[way[0]].x {
			t.Errorf("the way bends from %d to %d", l.slots[way[0]].x, l.slots[s].x)
		}
	}
	if len(way) != 4 {
		t.Errorf("the way passes %d rows", len(way))
	}
}

func TestCrossingsAreFew(t *testing.T) {
	// Two chains whose second boxes are added in the other order cross only if nobody sorts.
	d := dag{boxes: make([]box, 4), links: [][2]int{{0, 3}, {1, 2}}}
	if n := d.layout().crossings(); n != 0 {
		t.Errorf("%d crossings", n)
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"äöüß", 4, "äöüß"},
		{"a\u202eb\nc\x00", 9, "a\uFFFDb\uFFFDc\uFFFD"},
		{"", 3, ""},
	} {
		if got := clip(c.text, c.n); got != c.want {
			t.Errorf("clip(%q, %d) is %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	v := func(s float64) *float64 { return &s }
	got := []string{exact(0), exact(999), exact(1000), exact(-1234567), seconds(nil), seconds(v(1.5)),
		seconds(v(0.012345)), seconds(v(2e-6)), seconds(v(3e-9)), percent(1, 3), percent(0, 0),
		percent(1, 1e6), bytesOr(0), bytesOr(2048)}
	want := []string{"0", "999", "1\u202f000", "-1\u202f234\u202f567", "–", "1.5 s", "12.3 ms", "2 µs",
		"3 ns", "33.3 %", "0 %", "< 0.1 %", "–", units.Bytes(2048)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// luminance is that of WCAG 2 for #rrggbb.
func luminance(rgb [3]float64) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := rgb[i] / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(a, b [3]float64) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func parse(t *testing.T, text string) (rgb [3]float64) {
	t.Helper()
	n, err := strconv.ParseUint(text[1:], 16, 32)
	if err != nil || len(text) != 7 {
		t.Fatalf("%q is no colour", text)
	}
	for i := range rgb {
		rgb[i] = float64(n >> (16 - 8*i) & 255)
	}
	return rgb
}

// blend is a colour laid thinly over another.
func blend(top, below [3]float64, share float64) (out [3]float64) {
	for i := range out {
		out[i] = share*top[i] + (1-share)*below[i]
	}
	return out
}

// tint is how much of a part's colour is under text.
const tint = 0.14

// TestContrast holds text to 4.5 and areas to 3 (WCAG 2.1, 1.4.3 and 1.4.11), in light and dark.
func TestContrast(t *testing.T) {
	for _, dark := range []bool{false, true} {
		value := func(c colour) [3]float64 {
			if dark {
				return parse(t, c.dark)
			}
			return parse(t, c.light)
		}
		of := map[string][3]float64{}
		for _, c := range ground {
			of[c.name] = value(c)
		}
		for _, text := range []string{"ink", "muted", "link", "good", "bad"} {
			for _, on := range []string{"ground", "panel"} {
				if c := contrast(of[text], of[on]); c < 4.5 {
					t.Errorf("dark %v: %s on %s has %.2f", dark, text, on, c)
				}
			}
		}
		for _, p := range parts {
			if p.part == partFree {
				continue // it is what is left, beside what is used
			}
			area := value(p.colour)
			if c := contrast(area, of["panel"]); c < 3 {
				t.Errorf("dark %v: %s on the panel has %.2f", dark, p.name, c)
			}
			under := blend(area, of["panel"], tint)
			for _, text := range []string{"ink", "muted"} {
				if c := contrast(of[text], under); c < 4.5 {
					t.Errorf("dark %v: %s on %s has %.2f", dark, text, p.name, c)
				}
			}
		}
	}
}

func TestStyleHasTheTint(t *testing.T) {
	want := "fill-opacity:" + strconv.FormatFloat(tint, 'f', 2, 64)[1:]
	if !strings.Contains(styleText, want) {
		t.Errorf("style.css has no %s", want)
	}
}
