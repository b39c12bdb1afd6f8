package page

import (
	"fmt"
	"strings"

	"moge/codegen/report"
)

// colour is a role with its values on light and dark ground.
type colour struct{ name, light, dark string }

// ground are colours of text and surfaces. Text in ink, muted and link stands on ground and panel.
var ground = []colour{
	{"ground", "#ffffff", "#0d1117"},
	{"panel", "#f4f6f8", "#161b22"},
	{"ink", "#1b1f24", "#e6edf3"},
	{"muted", "#545d68", "#9ea7b3"},
	{"line", "#d0d7de", "#30363d"},
	{"link", "#0b5cad", "#6cb6ff"},
	{"good", "#1a7f37", "#3fb950"},
	{"bad", "#c11e2b", "#ff6b61"},
}

// parts are colours of areas and outlines; text on them is ink on a tint.
var parts = []struct {
	part string
	colour
}{
	{report.PartEmbed, colour{"embed", "#0e7490", "#39b5cf"}},
	{report.PartNorm, colour{"norm", "#6e7781", "#8b949e"}},
	{report.PartAttention, colour{"attn", "#0969da", "#4493f8"}},
	{report.PartRouter, colour{"router", "#8250df", "#ab7df8"}},
	{report.PartExperts, colour{"experts", "#bc4c00", "#f0883e"}},
	{report.PartShared, colour{"shared", "#1a7f37", "#3fb950"}},
	{report.PartMLP, colour{"mlp", "#4d7c0f", "#84cc16"}},
	{report.PartHead, colour{"head", "#9a6700", "#d29922"}},
	{report.PartComm, colour{"comm", "#cf222e", "#f85149"}},
	{report.PartOther, colour{"other", "#57606a", "#9198a1"}},
	{partArena, colour{"arena", "#a2478f", "#db61a2"}},
	{partCache, colour{"cache", "#3e5c9a", "#7d9bdc"}},
	{partFree, colour{"free", "#d0d7de", "#30363d"}},
}

// What memory is for beside the parts of the model.
const (
	partArena = "arena"
	partCache = "cache"
	partFree  = "free"
)

// classOf is the CSS class of a part.
func classOf(part string) string {
	for _, p := range parts {
		if p.part == part {
			return "p-" + p.name
		}
	}
	return "p-other"
}

// variables are the colours as CSS.
func variables() string {
	var light, dark, classes strings.Builder
	add := func(c colour) {
		fmt.Fprintf(&light, "--%s:%s;", c.name, c.light)
		fmt.Fprintf(&dark, "--%s:%s;", c.name, c.dark)
	}
	for _, c := range ground {
		add(c)
	}
	for _, p := range parts {
		add(p.colour)
		fmt.Fprintf(&classes, ".p-%s{--c:var(--%s)}\n", p.name, p.name)
	}
	return fmt.Sprintf(
		":root{color-scheme:light dark;%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n%s",
		light.String(), dark.String(), classes.String())
}
