package soc

const (
	wholeBlocks = "DataCopy of whole 32-byte blocks: pad rows to 32 bytes in memory"
	throughUB   = "quantize in UB and copy from there, or store the weight in NZ"
)

// moveAPIs is copies between device memory and the memories of a core. The form is the path.
var moveAPIs = grouped(GroupMove, []API{
	row("DataCopy", any310P, any910B).form("gm-ub").note("a count is rounded down to 32 bytes"),
	row("DataCopy", any310P, any910B).form("gm-ub strided"),
	row("DataCopy", bytes, bytesBF).form("gm-ub sliced"),
	row("DataCopy", bytes, bytesBF).form("gm-ub nd2nz"),
	row("DataCopy", words, wordsBF).form("ub-gm nz2nd"),
	row("DataCopy", any310P, any910B).form("ub-ub").note("whole blocks, unmasked"),
	row("DataCopy", any310P, any910B).form("ub-ub strided"),
	row("DataCopy", any310P, any910B).form("gm-l1"),
	row("DataCopy", any310P, any910B).form("gm-l1 strided"),
	row("DataCopy", words, bytesBF|set(Int4)).form("gm-l1 nd2nz").
		note("310P: emulated, 16 and 32-bit types alone, 8 KiB of scratch").instead(throughUB),
	row("DataCopy", any310P, any910B).form("ub-l1").note("910B: the vector side reaches L1 through device memory"),
	row("DataCopy", any310P, any910B).form("ub-l1 strided").note("310P: the way of int8 activations into L1"),
	only910B("DataCopy", bytesBF).form("ub-l1 nd2nz").instead("a strided copy from UB for each row"),
	only310P("DataCopy", set(Int8, Uint8, Int16, Half, Int32, Uint32, Float)).form("l0c-ub").
		note("runs on V; which conversions: Drains").
		instead("Fixpipe to device memory, an epilogue on the vector side"),
	only910B("DataCopy", set(Int8, Uint8, Half, BFloat16, Int32, Float)).form("l0c-gm").instead("DataCopy from L0C to UB"),
	only910B("DataCopy", set(Int8, Uint8, Half, BFloat16, Int32, Float)).form("l0c-l1").
		instead("DataCopy from L0C to UB and on to L1"),
	only910B("DataCopy", any910B).form("l1-gm").instead("DataCopy through UB"),
	only910B("DataCopy", any910B).form("l1-gm strided").instead("DataCopy through UB"),
	only910B("DataCopy", set(Int32, Float)).form("l1-bt").instead("BroadCastVecToMM into L0C before the first Mmad"),
	only910B("DataCopy", set(Uint64)).form("l1-fb").instead("scales in UB, read by VDEQ16"),
	only910B("DataCopyPad", any910B).form("gm-ub").instead(wholeBlocks),
	only910B("DataCopyPad", any910B).form("ub-gm").instead(wholeBlocks),
	only910B("DataCopyPad", any910B).form("ub-l1").instead(wholeBlocks),
	only910B("SetPadValue", any910B).instead("Duplicate before the copy"),
	only910B("Copy", wordsBF).note("masked, within UB").instead("DataCopy within UB, or Adds of 0, Muls by 1 under a mask"),
})

// matrixAPIs is loads into L0, products, drains and their settings.
var matrixAPIs = grouped(GroupMatrix, []API{
	row("Mmad", set(Int32, Half, Float), set(Int32, Float)).note("which operands: Mmads; m = 1 reads A as a vector"),
	only910B("Mmad", set(Int32, Float)).form("bias").instead("BroadCastVecToMM, then Mmad with cmatrixInitVal false"),
	only910B("MmadWithSparse", set(Int32)).instead("Mmad"),
	only310P("Conv2D", set(Int32, Half, Float)).note("deprecated").instead("Mmad"),
	only310P("Gemm", set(Int32, Half, Float)).note("deprecated").instead("Mmad"),
	only910B("SetHF32Mode", 0),
	only910B("SetHF32TransMode", 0),
	only910B("SetMMLayoutTransform", 0).renamed("SetMMRowMajor").note("false is SetMMColumnMajor"),

	row("LoadData", set(Int4, Int8, Uint8, Int16, Uint16, Half), bytesBF|set(Int4)).form("2d").
		note("units of 512 bytes; ifTranspose for 16-bit types alone"),
	row("LoadData", shorts|set(Int8, Uint8), bytesBF).form("gm-l1 2d"),
	only310P("LoadData", set(Int8, Uint8, Half)).form("3d").
		note("the first list of the page; its other lists were not read").instead("LoadData, 2d form"),
	only910B("LoadDataWithTranspose", set(Int4, Int8, Uint8, Half, BFloat16, Int32, Uint32, Float)).
		instead("store the weight so that it needs no transpose"),
	only910B("LoadDataWithSparse", set(Int8)).instead("LoadData"),
	only310P("LoadDataUnzip", set(Int8)).instead("LoadData"),
	only310P("LoadUnzipIndex", 0),
	row("LoadImageToLocal", set(Int8, Uint8, Half), set(Int8, Half)),
	both("SetAippFunctions", 0),
	both("SetFmatrix", 0),
	both("SetLoadDataBoundary", 0),
	row("SetLoadDataPaddingValue", shorts|set(Int8, Uint8), bytesBF),
	only910B("SetLoadDataRepeat", 0),
	row("InitConstValue", shorts, wordsBF).renamed("Fill"),
	only310P("BroadCastVecToMM", floatsI32).note("a row of UB over the rows of L0C").instead("Mmad with a bias in BT"),

	only910B("Fixpipe", set(Int8, Uint8, Half, BFloat16, Int32, Float)).form("l0c-gm").
		note("which conversions: Drains; nSize is a multiple of 16").instead("DataCopy from L0C to UB"),
	only910B("Fixpipe", set(Int8, Uint8, Half, BFloat16)).form("l0c-l1").instead("DataCopy from L0C to UB and on to L1"),
	only910B("SetFixPipeConfig", 0),
	only910B("SetFixpipeNz2ndFlag", 0),
	only910B("SetFixpipePreQuantFlag", 0),
})
