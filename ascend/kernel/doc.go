// Package kernel is the author level of kernels for Ascend chips: a typed builder over tiles. What
// is written here names no queue of the core, no signal between queues, and no chip; package lower
// makes a program of it for one chip, in which all of that is derived, and package device prints
// it.
//
// A kernel declares run-time integers with their ranges, tensors in device memory, and tiles in the
// memories of a core, and then lists statements in the order in which they would run one after the
// other. Whatever may overlap will; what may not is kept in order.
//
//	k := kernel.New("scale_rows", "y[T, 256] = x[T, 256] * 0.5, half.")
//	rows := k.Param("rows", 1, 1025)
//	x := k.Input("x", kernel.F16, kernel.Matrix(rows, 256))
//	y := k.Output("y", kernel.F16, kernel.Matrix(rows, 256))
//	in := k.Ring("xTile", 2, kernel.VecTile(kernel.F16, 16, 256))
//	out := k.Ring("yTile", 2, kernel.VecTile(kernel.F16, 16, 256))
//	k.Units("unit", rows.CeilDiv(16), func(u kernel.Int) {
//		at := k.Let("at", u.MulN(16))
//		count := k.Let("count", rows.Sub(at).MinN(16))
//		a, b := in.Next().Head(count), out.Next().Head(count)
//		k.Load(a, x.Rows(at, count))
//		k.Muls(b, a, kernel.F(0.5))
//		k.Store(y.Rows(at, count), b)
//	})
//	built, err := k.Build()
//
// Integers. [Int] is an expression over constants ([N]), parameters, loop variables and values read
// from tiles. Every bound is proved from declared ranges, loop bounds and conditions around, so
// write counts as minima (rows.Sub(at).MinN(16)) and name them with Let. Divisors are constants.
//
// Floats. [Float] is a run-time scalar in single precision; it is rounded to the type of the tile
// it meets.
//
// Tensors. [Matrix] is row-major with rows padded to 32 bytes and storage to 16 rows; [Fractals] is
// matrices in NZ, whose extents are fixed. Regions: g.Rows(row, count), g.Sub(row, rows, col,
// cols), .In(matrix). Reads may touch padding rows; writes to outputs may not.
//
// Tiles. [VecTile] holds operands of vector statements, row-major. [MatTile] holds operands of
// MatMul: left [M, K], right [N, K] (or [K, N] for MatMulT). [AccTile] holds its results. A view is
// t.At(row), t.Head(rows), t.Span(col, cols), t.Sub(...). A Tile made in a loop body holds for one
// iteration, one made outside for the whole kernel or [Builder.Phase]. Ring(depth).Next() takes a
// slot for the rest of the block, so that the next iteration can fill another one. A ring is taken
// as often in a block as it has slots, and not again in blocks inside.
//
// Loops. For counts; Units shares its range out over the cores; Stream runs its load one iteration
// ahead of its use, which is needed where the use waits for scalars; load and use may then share
// nothing but the slots that the load takes, from rings of at least 2. Loops may run no iteration.
//
// Values from memory. ReadInt and ReadFloat read an element of a tile, with a declared range for
// integers that is trusted. ReadIndex reads straight from an input. On cores whose matrix side sees
// no vector tile, an integer that ReadInt gives to products or their loads passes through device
// memory: what ReadIndex can read instead, or what was written just before, costs less.
//
// Products. MatMul takes rows that are known at run time (a.Head(count), acc.Head(count), drained
// to dst.Head(count)); width and depth are fixed, multiples of 16 and of 32 bytes. Loops over depth
// accumulate: pass k0.Equal(N(0)) as the condition to start from zero.
//
// Vector statements take tiles of one extent; a source of one row serves all rows. Wide rows cost
// a call each; tiles whose rows lie in one piece, or fit 256 bytes, cost one call. Addresses of
// tiles must be multiples of 32 bytes, except where one element is read, written or reduced to.
//
// Cores do not see each other's stores before SyncAll or the end. Each must own whole 32-byte
// blocks of what it stores.
//
// This package must not know chips, calls, queues, signals or the language that is printed.
package kernel
