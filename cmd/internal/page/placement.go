package page

import (
	"fmt"

	"moge/codegen/report"
)

// Sizes of the drawing of ranks.
const (
	rankWidth  = 112
	bandHeight = 66
	rankHeight = 34
	maxRanks   = 32 // that are drawn
)

// bands draws what each rank has: a band for each part of the model, in it the groups of ranks that
// together have a whole one, and in these the ranks.
type bands struct {
	ID, Title, Desc string
	W, H            int
	Bands           []band
}

type band struct {
	X, Y        int
	Name, Class string
	Groups      []area
	Cells       []area
}

// area is a rectangle with text in its middle.
type area struct {
	X, Y, W, H int
	TX, TY     int
	Text       string
}

// bandsOf is nil for one rank, and for more than one can see.
func bandsOf(r *report.Report) *bands {
	p := &r.Placement
	if p.Devices < 2 || p.Devices > maxRanks {
		return nil
	}
	b := &bands{ID: "ranks", Title: fmt.Sprintf("What each of %d ranks has", p.Devices),
		W: p.Devices*rankWidth + 4}
	b.Desc = "From left to right the ranks; frames join those that together have a whole part of the " +
		"model. " + p.Text + "."
	per := (r.Model.Experts + int64(p.Experts.EP) - 1) / int64(p.Experts.EP)
	vocab := (r.Model.Vocab + int64(p.HeadTP) - 1) / int64(p.HeadTP)
	split := func(tp int) func(int) string {
		return func(rank int) string { return share(rank%tp, tp) }
	}
	b.add(p, report.PartAttention, "attention: a frame has its own sequences", p.Attn.TP, split(p.Attn.TP))
	if r.Model.Experts > 0 {
		b.add(p, report.PartExperts, "routed experts: a frame has experts that no other has", p.Experts.TP,
			func(rank int) string {
				first := int64(rank/p.Experts.TP%p.Experts.EP) * per
				text := fmt.Sprintf("%d–%d", first, min(first+per, r.Model.Experts)-1)
				if p.Experts.TP > 1 {
					text += fmt.Sprintf(", %d of %d", rank%p.Experts.TP+1, p.Experts.TP)
				}
				return text
			})
	}
	b.add(p, report.PartShared, "shared expert or MLP", p.Shared.TP, split(p.Shared.TP))
	b.add(p, report.PartEmbed, "embedding", p.EmbedTP, split(p.EmbedTP))
	b.add(p, report.PartHead, "head: tokens of the vocabulary", p.HeadTP, func(rank int) string {
		first := int64(rank%p.HeadTP) * vocab
		return fmt.Sprintf("%d–%d", first, min(first+vocab, r.Model.Vocab)-1)
	})
	b.H = len(b.Bands)*bandHeight + 2
	return b
}

// share is the part that one of several ranks has.
func share(index, of int) string {
	if of == 1 {
		return "whole"
	}
	return fmt.Sprintf("part %d of %d", index+1, of)
}

// add draws a part of the model that groups of neighbours split.
func (b *bands) add(p *report.Placement, part, name string, group int, text func(rank int) string) {
	y := len(b.Bands) * bandHeight
	d := band{X: 2, Y: y + 13, Name: name, Class: classOf(part)}
	for rank := 0; rank < p.Devices; rank += group {
		d.Groups = append(d.Groups, area{X: 2 + rank*rankWidth, Y: y + 20, W: group*rankWidth - 6,
			H: rankHeight + 6})
	}
	for rank := range p.Devices {
		x := 2 + rank*rankWidth
		d.Cells = append(d.Cells, area{X: x + 3, Y: y + 23, W: rankWidth - 12, H: rankHeight,
			TX: x + 3 + (rankWidth-12)/2, TY: y + 44, Text: clip(text(rank), 15)})
	}
	b.Bands = append(b.Bands, d)
}
