package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"moge/cmd/internal/exit"
	"moge/cmd/internal/units"
)

// Usage is an error of the command line that only shows when the command looks at its flags.
func Usage(format string, args ...any) error {
	return exit.With(exit.Usage, fmt.Errorf(format, args...))
}

// Args wants exactly the named arguments.
func Args(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// JSONFlag adds --json; schema names the form of the report and its version.
func JSONFlag(cmd *cobra.Command, schema string) *bool {
	return cmd.Flags().Bool("json", false, "write the report as JSON, schema "+schema)
}

// Size is a flag of a number of bytes, such as 1GiB.
type Size int64

// String is the size for people, empty for none.
func (s *Size) String() string {
	if *s == 0 {
		return ""
	}
	return units.Bytes(int64(*s))
}

// Set reads a size.
func (s *Size) Set(text string) error {
	n, err := units.ParseSize(text)
	*s = Size(n)
	return err
}

// Type is the name in help texts.
func (s *Size) Type() string { return "SIZE" }

// Choice is a flag that takes one of several words.
type Choice struct {
	Value string
	Words []string
}

// String is the chosen word.
func (c *Choice) String() string { return c.Value }

// Set takes a word.
func (c *Choice) Set(text string) error {
	for _, w := range c.Words {
		if w == text {
			c.Value = text
			return nil
		}
	}
	return fmt.Errorf("known are %s", strings.Join(c.Words, ", "))
}

// Type is the name in help texts.
func (c *Choice) Type() string { return strings.Join(c.Words, "|") }

// Complete lets the shell complete a flag with words and what they mean.
func Complete(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag,
		cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("BUG: " + err.Error())
	}
}

// CompleteWord is a word of a completion with its description.
func CompleteWord(word, summary string) string { return word + "\t" + summary }
