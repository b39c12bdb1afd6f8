package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"moge/runtime/probe"
	"moge/tests/bench/ratio"
)

// meter runs the commands.
type meter struct {
	*options
	log     io.Writer
	machine machine
	first   probe.Result // before everything
	last    ratio.Probe  // of the machine, the most recent
}

// all compares with one peer after the other.
func (m *meter) all(ctx context.Context, out io.Writer) error {
	var err error
	if m.first, err = m.machine.probe(ctx, 0); err != nil {
		return err
	}
	if m.header {
		fmt.Fprint(out, tableHead())
	}
	for _, peer := range m.peers {
		if err := m.compare(ctx, out, peer); err != nil {
			return fmt.Errorf("against %s: %w", peer.name, err)
		}
	}
	return nil
}

// compare runs blocks until enough are kept.
func (m *meter) compare(ctx context.Context, out io.Writer, peer command) error {
	if err := m.probeAgain(ctx); err != nil {
		return err
	}
	var pairs []ratio.Pair
	kept := map[ratio.Reason]int{}
	for kept[ratio.Kept] < m.pairs {
		if len(pairs) == m.most {
			return fmt.Errorf(
				"of %d blocks only %d were kept, %d are needed: in %d the probe drifted, in %d "+
					"time was stolen",
				m.most,
				kept[ratio.Kept],
				m.pairs,
				kept[ratio.Drifted],
				kept[ratio.Stolen],
			)
		}
		p, err := m.block(ctx, peer)
		if err != nil {
			return err
		}
		pairs = append(pairs, p)
		why := m.rules.Judge(p)
		kept[why]++
		fmt.Fprintf(
			m.log,
			"%s block %d: %.2f %.2f against %.2f %.2f, ratio %.4f, drift %.1f %%, steal %.2f %% %s\n",
			peer.name,
			len(pairs),
			p.Ours[0],
			p.Ours[1],
			p.Peer[0],
			p.Peer[1],
			p.Ratio(),
			100*p.Drift(),
			100*p.Steal,
			dropped(why),
		)
	}
	s, err := ratio.Summarize(pairs, m.rules)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, m.row(peer, s))
	return err
}

func dropped(why ratio.Reason) string {
	if why == ratio.Kept {
		return ""
	}
	return "(dropped: " + string(why) + ")"
}

// block is A B B A between two probes; that after one block is that before the next.
func (m *meter) block(ctx context.Context, peer command) (p ratio.Pair, err error) {
	p.Before = m.last
	start, known := m.machine.times()
	for _, run := range []struct {
		command command
		into    *float64
	}{{m.ours, &p.Ours[0]}, {peer, &p.Peer[0]}, {peer, &p.Peer[1]}, {m.ours, &p.Ours[1]}} {
		if *run.into, err = m.measure(ctx, run.command); err != nil {
			return p, fmt.Errorf("%s: %w", run.command.name, err)
		}
	}
	if end, err := m.machine.times(); known == nil && err == nil {
		p.Steal = end.StolenSince(start)
	}
	err = m.probeAgain(ctx)
	p.After = m.last
	return p, err
}

func (m *meter) probeAgain(ctx context.Context) error {
	r, err := m.machine.again(ctx, m.first, m.options.probe)
	m.last = ratio.Probe{Memory: r.Memory.Rate, Int8: r.Int8.Rate}
	return err
}

// measure runs a command and reads its number.
func (m *meter) measure(ctx context.Context, c command) (float64, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-c", c.shell)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, fmt.Errorf("%w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	if took < m.least {
		return 0, fmt.Errorf("it ran for %.1f s, less than %.1f s: let it repeat its test",
			took.Seconds(), m.least.Seconds())
	}
	return number(stdout.String())
}

func number(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		if len(text) > 200 {
			text = text[:200] + "..."
		}
		return 0, errors.New("it must print one number above 0, not " + strconv.Quote(text))
	}
	return v, nil
}

var columns = []string{
	"date",
	"work",
	"ours",
	"peer",
	"ours t/s",
	"peer t/s",
	"ratio",
	"95 %",
	"blocks",
	"dropped",
	"ISA",
	"GB/s",
	"GOP/s",
}

// tableHead aligns numbers to the right.
func tableHead() string {
	line := "| " + strings.Join(columns, " | ") + " |\n|"
	for _, c := range columns {
		if strings.Contains(c, "/s") || c == "ratio" || c == "blocks" {
			line += " ---: |"
		} else {
			line += " --- |"
		}
	}
	return line + "\n"
}

// row is a row of the table in RESULTS.md.
func (m *meter) row(peer command, s ratio.Summary) string {
	lost := "none"
	if s.Drift+s.Stolen > 0 {
		lost = fmt.Sprintf("%d drift, %d steal", s.Drift, s.Stolen)
	}
	cells := []string{time.Now().UTC().Format(time.DateOnly), m.name, m.ours.name, peer.name,
		fmt.Sprintf("%.2f", s.Ours), fmt.Sprintf("%.2f", s.Peer), fmt.Sprintf("%.3f", s.Ratio),
		fmt.Sprintf("%.3f to %.3f", s.Low, s.High), strconv.Itoa(s.Kept), lost, m.first.ISA,
		fmt.Sprintf("%.1f", m.first.Memory.Rate/1e9), fmt.Sprintf("%.0f", m.first.Int8.Rate/1e9)}
	return "| " + strings.Join(cells, " | ") + " |"
}
