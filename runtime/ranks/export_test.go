package ranks

import "testing"

// ModelDir is a bundle of the tests' model over dp·tp ranks, its head over head of them.
func ModelDir(t testing.TB, dp, tp, head int) string { return model(t, dp, tp, head, -1).Dir() }
