package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"moge/cmd/internal/cli"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

// schemeValue is a flag that names a quantization scheme.
type schemeValue struct{ to *quant.Scheme }

func (v schemeValue) String() string {
	if v.to == nil {
		return ""
	}
	return v.to.Name
}

func (v schemeValue) Set(text string) (err error) {
	*v.to, err = quant.ParseScheme(text)
	return err
}

func (v schemeValue) Type() string { return "SCHEME" }

// headValue is the scheme of the head, for which int8 is short for w8a8-dynamic: the one
// that needs no statistics.
type headValue struct{ schemeValue }

func (v headValue) Set(text string) error {
	if text == "int8" {
		text = "w8a8-dynamic"
	}
	return v.schemeValue.Set(text)
}

func (v headValue) Type() string { return "int8|SCHEME" }

// cardScheme is what a card gets unless told otherwise: its kernels take int8 rows, and it needs no text.
const cardScheme = "w8a8-dynamic"

func schemeWords() []string {
	var words []string
	for _, s := range quant.Schemes() {
		words = append(words, cli.CompleteWord(s.Name, s.Summary))
	}
	return words
}

// overrideValue is a flag that may be given several times.
type overrideValue struct{ to *[]quant.Override }

func (v overrideValue) String() string { return "" }

func (v overrideValue) Set(text string) error {
	o, err := quant.ParseOverride(text)
	*v.to = append(*v.to, o)
	return err
}

func (v overrideValue) Type() string { return "PATTERN=SCHEME" }

// dtypeValue is a flag that takes one of some element types.
type dtypeValue struct {
	to    *dtype.Type
	words []string
}

func (v dtypeValue) String() string {
	if v.to == nil || *v.to == dtype.Invalid {
		return ""
	}
	return v.to.String()
}

func (v dtypeValue) Set(text string) (err error) {
	if !slices.Contains(v.words, text) {
		return fmt.Errorf("known are %s", strings.Join(v.words, ", "))
	}
	*v.to, err = dtype.Parse(text)
	return err
}

func (v dtypeValue) Type() string { return strings.Join(v.words, "|") }

// passValue is NAME:off and may be given several times.
type passValue struct{ off *[]string }

func (v passValue) String() string { return "" }

func (v passValue) Set(text string) error {
	name, ok := strings.CutSuffix(text, ":off")
	if !ok {
		return fmt.Errorf("want NAME:off, such as FuseQKV:off")
	}
	i := slices.IndexFunc(passes.List(), func(p passes.Info) bool { return p.Name == name })
	switch {
	case i < 0:
		return fmt.Errorf("unknown pass: did you mean %s? passes that can be switched off: %s",
			quant.Nearest(name, optionalPasses()), strings.Join(optionalPasses(), ", "))
	case passes.List()[i].Required:
		return fmt.Errorf("this pass is required; passes that can be switched off: %s",
			strings.Join(optionalPasses(), ", "))
	}
	*v.off = append(*v.off, name)
	return nil
}

func (v passValue) Type() string { return "NAME:off" }

func optionalPasses() []string {
	var names []string
	for _, p := range passes.List() {
		if !p.Required {
			names = append(names, p.Name)
		}
	}
	return names
}

func passWords() []string {
	var words []string
	for _, p := range passes.List() {
		if !p.Required {
			words = append(words, cli.CompleteWord(p.Name+":off", p.Summary))
		}
	}
	return words
}

// complete registers completions of all flags of cmd whose words are known.
func complete(cmd *cobra.Command, words map[string][]string) {
	for flag, list := range words {
		if cmd.Flags().Lookup(flag) != nil {
			cli.Complete(cmd, flag, list...)
		}
	}
}
