package main

import (
	"moge/ascend/cards"
	"moge/ascend/model"
	"moge/cmd/internal/exit"
	"moge/codegen"
	"moge/codegen/driver"
	"moge/codegen/weights"
	"moge/formats/models"
	"moge/ir/placement"
	"moge/quant"
)

// rows are the codes of the compiler's errors; exit.Table has all others.
var rows = []exit.Row{
	{Code: exit.Usage, What: "a choice that no input could meet",
		Match: exit.As[*driver.UsageError]()},
	{Code: exit.Resources, What: "a chip does not hold its part", Match: exit.As[*cards.MemoryError]()},
	{Code: exit.Resources, What: "--max-memory is too small", Match: exit.As[*codegen.MemoryError]()},
	{Code: exit.Gate, What: "bundle differs from its source", Match: exit.As[*driver.MismatchError]()},
	{Code: exit.Gate, What: "a kernel does not give what it must", Match: exit.As[*cards.FailedError]()},
	{Code: exit.Input, What: "no kernel computes an op", Match: exit.As[*model.UnsupportedError]()},
	{Code: exit.Input, What: "the model cannot lie so over ranks", Match: exit.As[*placement.IllegalError]()},
	{Code: exit.Input, What: "input does not fit", Match: exit.As[*driver.InputError]()},
	{Code: exit.Input, What: "output cannot be written", Match: exit.As[*driver.OutputError]()},
	{Code: exit.Input, What: "model is unknown or incomplete", Match: exit.As[*models.Error]()},
	{Code: exit.Input, What: "weights hold NaN or infinity",
		Match: exit.As[*weights.NonFiniteError]()},
	{Code: exit.Input, What: "weights hold NaN or infinity", Match: exit.As[*quant.NonFiniteError]()},
}

// inputError blames the input for an error that no row knows: what the compiler refuses
// without a type of its own, it refuses because of what it was given.
func inputError(err error) error {
	if err == nil {
		return nil
	}
	if _, known := exit.Find(err, rows...); known {
		return err
	}
	return exit.With(exit.Input, err)
}
