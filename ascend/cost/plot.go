package cost

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Sizes of the plot, in user units of SVG.
const (
	plotWidth, plotHeight = 720, 640
	plotLeft, plotBottom  = 72, 64
	plotTop, plotRight    = 56, 24
	plotTicks             = 5
	starOuter, starInner  = 11, 4.5
	spaceAround           = 1.04 // of the largest value
	plotStyle             = "svg{background:#fff;color:#222}.p{stroke:#3b6ea8;stroke-opacity:.35}" +
		".s{fill:#e8833a;stroke:#222}@media(prefers-color-scheme:dark){svg{background:#181818;color:#ddd}" +
		".p{stroke:#7fb0e6}.s{stroke:#ddd}}"
)

const plotHead = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" " +
	"font-family=\"sans-serif\" font-size=\"13\" fill=\"currentColor\">\n<style>%s</style>\n"

// axis maps values to a side of the plot.
type axis struct {
	title    string
	max      float64
	from, to float64 // user units of 0 and max
}

func (a axis) at(v float64) float64 { return a.from + (a.to-a.from)*v/a.max }

// Plot writes a scatter of candidates as a self-contained SVG: tokens a second and chip, relative to those
// of the reference, on the first machine to the right and on the second upwards; with one machine,
// billions of parameters to the right. The reference is a star.
func Plot(w io.Writer, list []Candidate, reference Candidate, machines []*Machine) error {
	value := func(c *Candidate, i int) float64 {
		return c.Results[i].PerChip / reference.Results[i].PerChip
	}
	x := axis{title: "throughput on " + machines[0].Name + ", relative to " + reference.Model.Name}
	y := x
	at := func(c *Candidate) (float64, float64) { return value(c, 0), value(c, 1) }
	if len(machines) > 1 {
		y.title = "throughput on " + machines[1].Name + ", relative"
	} else {
		x.title = "parameters, billions"
		at = func(c *Candidate) (float64, float64) { return float64(c.Total) / 1e9, value(c, 0) }
	}
	for i := range list {
		a, b := at(&list[i])
		x.max, y.max = max(x.max, a), max(y.max, b)
	}
	a, b := at(&reference)
	x.max, y.max = spaceAround*max(x.max, a), spaceAround*max(y.max, b)
	x.from, x.to, y.from, y.to = plotLeft, plotWidth-plotRight, plotHeight-plotBottom, plotTop
	var text strings.Builder
	fmt.Fprintf(&text, plotHead, plotWidth, plotHeight, plotStyle)
	fmt.Fprintf(&text, "<text x=\"%d\" y=\"28\" font-size=\"16\">%d candidates, %s as a star</text>\n",
		plotLeft, len(list), reference.Model.Name)
	axes(&text, x, y)
	text.WriteString("<path class=\"p\" fill=\"none\" stroke-width=\"3\" stroke-linecap=\"round\" d=\"")
	for i := range list {
		a, b := at(&list[i])
		fmt.Fprintf(&text, "M%.1f %.1fh0", x.at(a), y.at(b))
	}
	text.WriteString("\"/>\n" + star(x.at(a), y.at(b)) + "</svg>\n")
	_, err := io.WriteString(w, text.String())
	return err
}

func axes(text *strings.Builder, x, y axis) {
	fmt.Fprintf(text, "<path fill=\"none\" stroke=\"currentColor\" d=\"M%.0f %.0fV%.0fH%.0f\"/>\n",
		x.from, y.to, y.from, x.to)
	for _, v := range ticks(x.max) {
		fmt.Fprintf(text, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%.4g</text>\n", x.at(v),
			y.from+20, v)
	}
	for _, v := range ticks(y.max) {
		fmt.Fprintf(text, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", x.from-8,
			y.at(v)+4, v)
	}
	fmt.Fprintf(text, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n", (x.from+x.to)/2,
		y.from+44, x.title)
	fmt.Fprintf(text,
		"<text transform=\"translate(20 %.0f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
		(y.from+y.to)/2, y.title)
}

// ticks are round numbers up to a value, at most seven.
func ticks(limit float64) []float64 {
	base := math.Pow(10, math.Floor(math.Log10(limit/plotTicks)))
	step := base
	for _, by := range []float64{1, 2, 5, 10} {
		if step = by * base; limit/step < plotTicks+1 {
			break
		}
	}
	var list []float64
	for i := 0; float64(i)*step <= limit; i++ {
		list = append(list, float64(i)*step)
	}
	return list
}

func star(x, y float64) string {
	var text strings.Builder
	text.WriteString("<path class=\"s\" d=\"")
	for i := range 10 {
		r, letter := float64(starOuter), "L"
		if i%2 == 1 {
			r = starInner
		}
		if i == 0 {
			letter = "M"
		}
		angle := math.Pi * float64(i) / 5
		fmt.Fprintf(&text, "%s%.1f %.1f", letter, x+r*math.Sin(angle), y-r*math.Cos(angle))
	}
	return text.String() + "z\"/>\n"
}
