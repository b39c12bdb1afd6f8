package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"moge/formats/durable"
	"moge/runtime/probe"
	"moge/tests/bench/ratio"
)

// Exit codes. Refused is EX_TEMPFAIL: the same command may succeed later.
const (
	done, failed, usage, refused = 0, 1, 2, 75
)

// options are the flags.
type options struct {
	name           string
	pairs, most    int
	least          time.Duration // that a measurement must take
	pressure       float64       // share of time, beyond which the machine is busy
	wait           time.Duration // for the machine to become quiet
	probe          time.Duration // for each half of a probe
	lock           string
	header         bool
	rules          ratio.Rules
	ours           command
	peers          []command
	seconds, delay float64
}

// command is what prints one number.
type command struct{ name, shell string }

const help = `usage: compare.sh [flags] OURS PEER...

OURS and each PEER are shell commands that print one number, tokens a second, such as
  "moge bench m1.moge -p 0 -n 128 -r 8 -o rate"
  "ik_llama.cpp: llama-bench -m m1.gguf -p 0 -n 128 -r 8 -o json | sed ..."
A name may stand before a command, with a colon and a space behind it.

`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, log io.Writer) int {
	o, err := parse(args, log)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return done
	case err != nil:
		fmt.Fprintln(log, "compare:", err)
		return usage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := &meter{options: o, log: log, machine: system{}}
	err = m.locked(ctx, func() error { return m.all(ctx, out) })
	var no *refusal
	switch {
	case errors.As(err, &no):
		fmt.Fprintln(log, "compare:", err)
		return refused
	case err != nil:
		fmt.Fprintln(log, "compare:", err)
		return failed
	}
	return done
}

func parse(args []string, log io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(io.Discard) // of errors, which are ours to print
	f.Usage = func() {}
	f.StringVar(&o.name, "name", "", "what is measured, such as \"M1 tg128\": the first cell of the row")
	f.IntVar(&o.pairs, "pairs", 15, "blocks A B B A that must be kept for each peer")
	f.IntVar(&o.most, "most", 0, "blocks at most for each peer (default twice as many)")
	f.Float64Var(&o.seconds, "seconds", 5, "seconds that each command must run")
	f.Float64Var(&o.pressure, "pressure", 0.1,
		"share of the last 10 s in which tasks waited for a processor, beyond which the machine is busy")
	f.Float64Var(&o.delay, "wait", 0, "seconds to wait for a busy machine to become quiet")
	f.Float64Var(&o.rules.Drift, "drift", 0.05, "change of the probe beyond which a block is dropped")
	f.Float64Var(&o.rules.Steal, "steal", 0.005, "share of stolen time beyond which a block is dropped")
	f.DurationVar(&o.probe, "probe", 300*time.Millisecond, "time for each half of a probe")
	f.StringVar(&o.lock, "lock", filepath.Join(os.TempDir(), "moge-bench.lock"), "lock file")
	f.BoolVar(&o.header, "header", false, "print the head of the table too")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(log, help)
			f.SetOutput(log)
			f.PrintDefaults()
		}
		return nil, err
	}
	return o, o.complete(f.Args())
}

func (o *options) complete(commands []string) error {
	switch {
	case len(commands) < 2:
		return errors.New("OURS and at least one PEER are needed; see -help")
	case o.pairs < 1:
		return fmt.Errorf("-pairs is %d, it must be at least 1", o.pairs)
	case o.most != 0 && o.most < o.pairs:
		return fmt.Errorf("-most is %d, less than -pairs", o.most)
	case !(o.seconds >= 0 && o.delay >= 0 && o.rules.Drift >= 0 && o.rules.Steal >= 0 && o.pressure >= 0):
		return errors.New("-seconds, -wait, -drift, -steal and -pressure cannot be negative")
	case o.most == 0:
		o.most = 2 * o.pairs
	}
	o.least, o.wait = seconds(o.seconds), seconds(o.delay)
	o.ours = named(commands[0], "ours")
	for i, c := range commands[1:] {
		o.peers = append(o.peers, named(c, fmt.Sprintf("peer %d", i+1)))
	}
	return nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

var nameOf = regexp.MustCompile(`^([\w.+ -]+): +(.*)$`)

func named(text, otherwise string) command {
	if m := nameOf.FindStringSubmatch(text); m != nil {
		return command{m[1], m[2]}
	}
	return command{otherwise, text}
}

// refusal is why nothing was measured: the machine, not the commands.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// machine is what compare asks of the system.
type machine interface {
	pressure() (float64, error)
	times() (probe.Times, error)
	probe(ctx context.Context, limit time.Duration) (probe.Result, error)
	again(ctx context.Context, r probe.Result, limit time.Duration) (probe.Result, error)
}

// system is the real one.
type system struct{}

func (system) pressure() (float64, error) { return probe.ReadPressure() }

func (system) times() (probe.Times, error) { return probe.ReadTimes() }

func (system) probe(ctx context.Context, limit time.Duration) (probe.Result, error) {
	return probe.Run(ctx, limit)
}

func (system) again(ctx context.Context, r probe.Result, limit time.Duration) (probe.Result, error) {
	return probe.Again(ctx, r, limit)
}

// locked calls fn while no other compare runs, on a machine that is quiet.
func (m *meter) locked(ctx context.Context, fn func() error) error {
	unlock, err := durable.OS().Lock(m.lock)
	if errors.Is(err, durable.ErrLocked) {
		return &refusal{m.lock + " is locked: another comparison runs"}
	}
	if err != nil {
		return err
	}
	err = m.quiet(ctx)
	if err == nil {
		err = fn()
	}
	return errors.Join(err, unlock())
}

// quiet waits for a quiet machine, as long as it may.
func (m *meter) quiet(ctx context.Context) error {
	end := time.Now().Add(m.wait)
	for {
		p, err := m.machine.pressure()
		switch {
		case m.options.pressure >= 1:
			return nil
		case err != nil:
			return &refusal{fmt.Sprintf("whether the machine is busy cannot be known (%v): "+
				"-pressure 1 measures nevertheless", err)}
		case p <= m.options.pressure:
			return nil
		case time.Now().After(end):
			return &refusal{
				fmt.Sprintf("the machine is busy: in %.1f %% of the last 10 s tasks waited for a "+
					"processor, at most %.1f %% are allowed", 100*p, 100*m.options.pressure),
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
