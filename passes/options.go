package passes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/quant"
)

// Options choose what the pipeline does. The zero value fuses and keeps every element type.
type Options struct {
	Scheme    quant.Scheme     // of every linear but the router and lm_head; the zero value is none
	Overrides []quant.Override // later ones win
	Head      quant.Scheme     // of lm_head; the zero value is none
	KV        dtype.Type       // elements of the cache: F32, F16 or I8; Invalid keeps the graph's
	Float     dtype.Type       // of weights that stay floats; Invalid keeps the checkpoint's
	// Activations is the type in which the machine stores activations; Invalid is f32.
	Activations dtype.Type
	Stats       *quant.Stats // what calibration measured; static schemes need it
	// MinExpertTokens is how many calibration tokens an expert must have seen for its own
	// range to count; see quant.Stats.Range.
	MinExpertTokens int64

	// Placement cuts the graph for ranks; the zero value and one device leave it whole.
	Placement      placement.Placement
	PlacementRules placement.Rules

	Off    []string // names of passes to leave out; a required one is refused
	Verify bool     // verify between all passes, not only at entry and exit
	// Dump sees the graph at entry (index 0, name Entry) and after each pass that ran
	// (index 1 and up: its place in the pipeline). An error ends the compilation.
	Dump func(index int, name string, g *ir.Graph) error
	// Time is told how long each pass took.
	Time func(name string, d time.Duration)
}

// Entry is the name under which Options.Dump sees the graph before the first pass.
const Entry = "Entry"

// Report is what the user should hear about a compilation.
type Report struct {
	Sites    []SiteScheme // every linear and grouped linear, in node order
	Casts    []Cast       // weights that changed their float type
	Warnings []string     // sentences, such as ranges taken from other experts
	Traffic  []Traffic    // between ranks, at one token a rank, after each pass that could change it
}

// SiteScheme is the scheme chosen for a site.
type SiteScheme struct{ Site, Scheme string }

// Cast counts weights that were cast from one float type to another.
type Cast struct {
	From, To dtype.Type
	Weights  int
}

// partitioned reports whether the graph is cut for ranks.
func (o *Options) partitioned() bool { return o.Placement.Devices > 1 }

// check refuses what no graph could make valid.
func (o *Options) check() error {
	switch o.KV {
	case dtype.Invalid, dtype.F32, dtype.F16, dtype.I8:
	default:
		return fmt.Errorf("cache element type %v is not one of f32, f16, i8", o.KV)
	}
	if a := o.Activations; a != dtype.Invalid && !a.Float() {
		return fmt.Errorf("activations cannot be stored as %v", a)
	}
	if o.Float != dtype.Invalid && !o.Float.Float() {
		return fmt.Errorf("float weights cannot become %v; choose f32, f16 or bf16", o.Float)
	}
	for _, name := range o.Off {
		if err := checkOff(name); err != nil {
			return err
		}
	}
	return nil
}

func checkOff(name string) error {
	var all, optional []string
	known := false
	for _, p := range List() {
		all = append(all, p.Name)
		if !p.Required {
			optional = append(optional, p.Name)
		}
		known = known || p.Name == name
	}
	switch {
	case !known:
		return fmt.Errorf("unknown pass %q: did you mean %q? passes: %s",
			name, quant.Nearest(name, all), strings.Join(all, ", "))
	case !slices.Contains(optional, name):
		return fmt.Errorf("pass %s is required; passes that can be switched off: %s",
			name, strings.Join(optional, ", "))
	}
	return nil
}
