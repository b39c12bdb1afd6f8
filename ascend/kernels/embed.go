package kernels

import "moge/ascend/kernel"

// EmbedSpec describes a gather of rows from a table.
type EmbedSpec struct {
	Name      string
	Width     int // H: a multiple of 16
	TableRows int // of the vocabulary; the greatest number of rows of a Step table
	MaxTokens int
	// Step says that the table is of the step, such as its activations: its number of rows is an
	// argument.
	Step bool
}

// Embed copies row ids[t] of a table of halves for each token: the embedding, and with Step the
// choice of the rows whose logits are wanted.
//
// Arguments: ids i32 TokenRows(T, 1), below the rows of the table, which the host checks; table
// half [V, H]; out half [T, H]; tokens = T; with Step tableRows = V. Numerics: exact.
//
// Work: a token is a unit; the table's row goes through a ring of two.
func Embed(s EmbedSpec) (*kernel.Kernel, error) {
	c := specCheck{kernel: s.Name}
	c.between("MaxTokens", s.MaxTokens, 1, maxTokens)
	c.multiple("Width", s.Width, 16)
	c.between("TableRows", s.TableRows, 1, (1<<31-1)/max(s.Width, 1)-kernel.FractalRows)
	if c.err != nil {
		return nil, c.err
	}
	k := kernel.New(s.Name, "out[T, H] = table[ids[T], H], half.")
	tokens, tableRows := k.Param("tokens", 1, s.MaxTokens), n(s.TableRows)
	if s.Step {
		tableRows = k.Param("tableRows", 1, s.TableRows)
	}
	ids := k.Input("ids", kernel.I32, TokenRows(tokens, 1))
	table := k.Input("table", kernel.F16, kernel.Matrix(tableRows, s.Width))
	out := k.Output("out", kernel.F16, kernel.Matrix(tokens, s.Width))
	idTiles := k.Ring("idTile", 2, kernel.VecTile(kernel.I32, 1, lanes))
	rows := k.Ring("row", 2, kernel.VecTile(kernel.F16, 1, s.Width))
	k.Units("token", tokens, func(u kernel.Int) {
		tile, row := idTiles.Next(), rows.Next()
		k.Load(tile, ids.Rows(u, n(1)))
		id := k.ReadInt("id", tile, n(0), tableRows.SubN(1))
		k.Load(row, table.Rows(id, n(1)))
		k.Store(out.Rows(u, n(1)), row)
	})
	return k.Build()
}
