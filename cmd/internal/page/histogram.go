package page

import (
	"fmt"

	"moge/codegen/balance"
	"moge/codegen/report"
)

// Sizes of the histogram.
const (
	histWidth  = 460
	histHeight = 190
	histLeft   = 40
	histFloor  = 150 // where bars stand
	histTop    = 16
)

// histogram is the distribution of the imbalance score of batches.
type histogram struct {
	ID, Title, Desc string
	W, H            int
	Columns         []column
	Ticks           []tick
}

type column struct {
	X, Y, W, H int
	Class      string
}

type tick struct {
	X, Y int
	Text string
}

// histogramOf draws a router without groups beside the model's.
func histogramOf(r *report.Random) *histogram {
	n := max(len(r.Ungrouped.Counts), len(r.Model.Counts))
	h := &histogram{ID: "scores", W: histWidth, H: histHeight, Title: "Imbalance score of random batches"}
	h.Desc = fmt.Sprintf("Shares of batches of %d tokens by their score. Without groups the mean is %.3f and "+
		"%s of batches are uneven; with the model's router the mean is %.3f and %s are.", r.Ungrouped.Batch,
		r.Ungrouped.Mean, percent(r.Ungrouped.Above, 1), r.Model.Mean, percent(r.Model.Above, 1))
	width := (histWidth - histLeft) / (n + 1)
	for _, s := range []struct {
		e     *balance.Estimate
		class string
		at    int
	}{{r.Ungrouped, "p-norm", 0}, {r.Model, "p-experts", 1}} {
		for d, count := range s.e.Counts {
			if count == 0 {
				continue
			}
			height := max(int(int64(histFloor-histTop)*count/int64(s.e.Draws)), 1)
			h.Columns = append(h.Columns, column{X: histLeft + d*width + s.at*width/2, Y: histFloor - height,
				W: max(width/2-1, 1), H: height, Class: s.class})
		}
	}
	step := max(n/6, 1)
	for d := 0; d < n; d += step {
		h.Ticks = append(h.Ticks, tick{histLeft + d*width + width/2, histFloor + 16,
			fmt.Sprintf("%.2f", float64(d)/float64(r.Ungrouped.Batch))})
	}
	return h
}
