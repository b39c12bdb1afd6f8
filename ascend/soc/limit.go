package soc

import "fmt"

// Limit is the range of one parameter of a call.
type Limit struct {
	API      string // key of the API table, or Vector, VectorBinary, VectorUnary for what vector calls share
	Param    string
	Min, Max int64
	Multiple int64 // the value is a multiple of this
	Bits     int   // width of the field
	Count    bool  // 0 is in the range, but kernels must not pass it
	Unit     string
	Source   Source
	Note     string

	only Family // 0 for both
}

const zeroNote = "0 does nothing on the 910B and is promised nothing on the 310P"

// limits is the table of ranges.
var limits = []Limit{
	{"Vector", "repeat", 0, 255, 1, 8, true, "repeats", Docs, zeroNote, 0},
	{"Vector", "count", 0, 1<<31 - 1, 1, 32, true, "elements", Docs, zeroNote, 0},
	{"VectorBinary", "blkStride", 0, 255, 1, 8, false, "data blocks", Docs, "0 reads one block again; not for destinations", 0},
	{"VectorBinary", "repStride", 0, 255, 1, 8, false, "data blocks", Docs, "", 0},
	{"VectorUnary", "blkStride", 0, 65535, 1, 16, false, "data blocks", Docs, "0 reads one block again; not for destinations", 0},
	{"VectorUnary", "repStride", 0, 255, 1, 8, false, "data blocks", Docs, "", 0},
	{"Duplicate", "dstBlockStride", 1, 65535, 1, 16, false, "data blocks", Docs, "", 0},
	{"Brcb", "dstBlkStride", 1, 1, 1, 16, false, "data blocks", Headers, "emulated: only 1 works", Ascend310P},
	{"Brcb", "dstBlkStride", 1, 65535, 1, 16, false, "data blocks", Docs, "", Ascend910B},
	{"WholeReduceMax", "repeat", 0, 255, 1, 32, true, "repeats", Docs, zeroNote, 0},
	{"WholeReduceMax", "dstRepStride", 0, 65535, 1, 16, false, "pairs of value and index", Docs, "", 0},
	{"WholeReduceMax", "srcRepStride", 0, 65535, 1, 16, false, "data blocks", Docs, "", 0},
	{"WholeReduceSum", "repeat", 0, 255, 1, 32, true, "repeats", Docs, zeroNote, 0},
	{"WholeReduceSum", "dstRepStride", 0, 65535, 1, 16, false, "elements", Docs, "", 0},
	{"WholeReduceSum", "srcRepStride", 0, 65535, 1, 16, false, "data blocks", Docs, "", 0},
	{"ReduceMax", "index", 0, 65535, 1, 16, false, "elements", Docs, "of half: the index is 16 bits", 0},
	{"Compare", "bytes", 0, 1<<31 - 1, 256, 32, true, "bytes", Docs, "count · size of the form with a count", 0},
	{"CompareScalar", "bytes", 0, 1<<31 - 1, 256, 32, true, "bytes", Docs, "count · size of the form with a count", 0},
	{"GatherMask", "pattern", 1, 6, 1, 8, false, "", Docs, "1 takes even elements, 2 odd ones", Ascend310P},
	{"GatherMask", "pattern", 1, 7, 1, 8, false, "", Docs, "1 takes even elements, 2 odd ones", Ascend910B},

	{"DataCopy", "bytes", 0, 1<<31 - 1, 32, 32, true, "bytes", Docs, "of the form with a count, which rounds down to it", 0},
	{"DataCopy", "blockCount", 0, 4095, 1, 16, true, "blocks", Docs, zeroNote, 0},
	{"DataCopy", "blockLen", 0, 65535, 1, 16, true, "32 bytes", Docs, zeroNote, 0},
	{"DataCopy", "srcGap", 0, 65535, 1, 16, false, "32 bytes", Docs, "tail to head; srcStride in 8.x", 0},
	{"DataCopy", "dstGap", 0, 65535, 1, 16, false, "32 bytes", Docs, "tail to head; dstStride in 8.x", 0},
	{"DataCopy:gm-l1 nd2nz", "ndNum", 0, 4095, 1, 16, true, "matrices", Docs, zeroNote, 0},
	{"DataCopy:gm-l1 nd2nz", "nValue", 0, 16384, 1, 16, true, "rows", Docs, zeroNote, 0},
	{"DataCopy:gm-l1 nd2nz", "dValue", 0, 65535, 1, 16, true, "elements", Docs, zeroNote, 0},
	{"DataCopy:gm-l1 nd2nz", "srcNdMatrixStride", 0, 65535, 1, 16, false, "elements", Docs, "", 0},
	{"DataCopy:gm-l1 nd2nz", "srcDValue", 1, 65535, 1, 16, false, "elements", Docs, "", 0},
	{"DataCopy:gm-l1 nd2nz", "dstNzC0Stride", 1, 16384, 1, 16, false, "32 bytes", Docs, "", 0},
	{"DataCopy:gm-l1 nd2nz", "dstNzNStride", 1, 16384, 1, 16, false, "32 bytes", Docs, "", 0},
	{"DataCopy:gm-l1 nd2nz", "dstNzMatrixStride", 0, 16384, 1, 16, false, "elements", Docs, "", 0},
	{"DataCopy:l0c-ub", "deqTensorAddr", 0, 256<<10 - 32, 32, 64, false, "bytes", Docs, "address in UB of the channel scales", Ascend310P},
	{"DataCopyPad", "blockCount", 0, 4095, 1, 16, true, "blocks", Docs, zeroNote, Ascend910B},
	{"DataCopyPad", "blockLen", 0, 2097151, 1, 32, true, "bytes", Docs, zeroNote, Ascend910B},
	{"DataCopyPad", "srcStride", 0, 1<<32 - 1, 1, 32, false, "bytes in GM, 32 bytes in UB", Docs, "tail to head", Ascend910B},
	{"DataCopyPad", "dstStride", 0, 1<<32 - 1, 1, 32, false, "bytes in GM, 32 bytes in UB", Docs, "tail to head", Ascend910B},
	{"DataCopyPad", "leftPadding", 0, 32, 1, 8, false, "bytes", Docs, "given in elements", Ascend910B},
	{"DataCopyPad", "rightPadding", 0, 32, 1, 8, false, "bytes", Docs, "given in elements", Ascend910B},

	{"LoadData:2d", "startIndex", 0, 65535, 1, 16, false, "512 bytes", Docs, "", 0},
	{"LoadData:2d", "repeatTimes", 0, 255, 1, 8, true, "fractals", Docs, zeroNote, 0},
	{"LoadData:2d", "srcStride", 0, 65535, 1, 16, false, "512 bytes", Docs, "start to start", 0},
	{"LoadData:2d", "dstGap", 0, 65535, 1, 16, false, "512 bytes", Docs, "end to start", 0},
	{"Mmad", "m", 0, 4095, 1, 12, true, "rows", Docs, "1 reads A as a vector: pass 16", 0},
	{"Mmad", "n", 0, 4095, 1, 12, true, "columns", Docs, zeroNote, 0},
	{"Mmad", "k", 0, 4095, 1, 12, true, "elements", Docs, "see mmad_k_per_issue", 0},
	{"BroadCastVecToMM", "blockCount", 1, 255, 1, 32, false, "blocks", Docs, "", Ascend310P},
	{"BroadCastVecToMM", "blockLen", 1, 255, 1, 8, false, "16 elements", Docs, "", Ascend310P},
	{"BroadCastVecToMM", "srcGap", 0, 255, 1, 8, false, "data blocks", Docs, "", Ascend310P},
	{"BroadCastVecToMM", "dstGap", 0, 255, 1, 8, false, "fractals", Docs, "", Ascend310P},
	{"Fixpipe", "nSize", 0, 4095, 16, 16, true, "columns", Docs, zeroNote, Ascend910B},
	{"Fixpipe", "mSize", 0, 8192, 1, 16, true, "rows", Docs, "to rows of ND; 65535 to NZ", Ascend910B},
	{"Fixpipe", "srcStride", 0, 65535, 1, 16, false, "16 elements", Docs, "rows of L0C, a multiple of 16", Ascend910B},
	{"Fixpipe", "dstStride", 1, 1<<32 - 1, 1, 32, false, "elements", Docs, "to rows of ND; 32 bytes to NZ", Ascend910B},
	{"Fixpipe", "ndNum", 1, 65535, 1, 16, false, "matrices", Docs, "", Ascend910B},

	{"CrossCoreSetFlag", "flagId", 0, 10, 1, 16, false, "", Docs2201, "see cross_core_flags", Ascend910B},
	{"SetFlag", "eventId", 0, 7, 1, 8, false, "", Docs, "see event_ids", Ascend310P},
	{"SetFlag", "eventId", 0, 5, 1, 8, false, "", Docs2201, "6 and 7 are not to be set by hand", Ascend910B},
	{"InitBuffer", "num", 1, 2, 1, 8, false, "buffers", Docs, "of a queue", 0},
	{"InitBuffer", "len", 0, 1<<32 - 1, 1, 32, true, "bytes", Docs, "rounded up to 32", 0},
	{"launch", "blocks", 1, 65535, 1, 16, false, "blocks", Docs, "", 0},
}

// Limits lists the ranges that hold on the chip, in the order of the table.
func (c *Chip) Limits() []Limit {
	var list []Limit
	for _, l := range limits {
		if l.only == 0 || l.only == c.family {
			list = append(list, l)
		}
	}
	return list
}

// Limit finds the range of a parameter; false if the chip has no such call or the table no
// such parameter.
func (c *Chip) Limit(api, param string) (Limit, bool) {
	for _, l := range c.Limits() {
		if l.API == api && l.Param == param {
			return l, true
		}
	}
	return Limit{}, false
}

// Contains reports whether kernels may pass the value: inside the range, a multiple of what
// is asked, and no zero count.
func (l Limit) Contains(v int64) bool {
	return v >= l.Least() && v <= l.Max && v%l.Multiple == 0
}

// Least is the smallest value that kernels may pass.
func (l Limit) Least() int64 {
	if l.Count && l.Min < l.Multiple {
		return l.Multiple
	}
	return l.Min
}

// LimitError says that a parameter is out of its range.
type LimitError struct {
	Chip  string
	Limit Limit
	Value int64
}

// Error names the parameter, the value, the range and the source.
func (e *LimitError) Error() string {
	l := e.Limit
	text := fmt.Sprintf("%s of %s is %d on %s, allowed is %d to %d",
		l.Param, l.API, e.Value, e.Chip, l.Least(), l.Max)
	if l.Multiple > 1 {
		text += fmt.Sprintf(" in steps of %d", l.Multiple)
	}
	if l.Unit != "" {
		text += " (" + l.Unit + ")"
	}
	return fmt.Sprintf("%s: %s", text, l.Source)
}

// CheckLimit returns a *LimitError if the value is out of range. A parameter without a row is
// a bug of the caller.
func (c *Chip) CheckLimit(api, param string, value int64) error {
	l, ok := c.Limit(api, param)
	if !ok {
		panic("BUG: no limit of " + param + " of " + api + " on " + c.name + " is in the table")
	}
	if !l.Contains(value) {
		return &LimitError{c.name, l, value}
	}
	return nil
}
