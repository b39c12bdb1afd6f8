package npu

import (
	"unsafe"

	"moge/ir/dtype"
	"moge/runtime/comm"
	"moge/runtime/npu/dl"
)

// hcclName is a function of HCCL.
type hcclName int

// The functions in use. Signatures: hccl.h of CANN 8.1, all return 0 or a code.
const (
	hcclCommInitAll hcclName = iota
	hcclCommInitClusterInfo
	hcclGetRootInfo
	hcclCommInitRootInfo
	hcclCommDestroy
	hcclAllGather
	hcclReduceScatter
	hcclAllReduce
	hcclGetErrorString // from here on those that an older CANN may lack
)

const hcclOptional = hcclGetErrorString

var hcclNames = [...]string{
	"HcclCommInitAll", "HcclCommInitClusterInfo", "HcclGetRootInfo", "HcclCommInitRootInfo",
	"HcclCommDestroy", "HcclAllGather", "HcclReduceScatter", "HcclAllReduce", "HcclGetErrorString",
}

// rootBytes is the size of HcclRootInfo (hccl_types.h).
const rootBytes = 4108

// hccl is HCCL.
type hccl struct {
	path  string
	funcs []dl.Func
}

func loadHCCL(folders []string) (*hccl, error) {
	f := locate(hcclFile, folders)
	if f.lib == nil {
		return nil, f.missing(hcclFile)
	}
	funcs, err := symbols(f, hcclNames[:hcclOptional], hcclNames[hcclOptional:])
	if err != nil {
		return nil, err
	}
	return &hccl{f.path, funcs}, nil
}

// call calls a function that returns a code.
//
//go:uintptrescapes
func (h *hccl) call(name hcclName, args ...uintptr) error {
	code := int32(h.funcs[name].Call(args...))
	if code == 0 {
		return nil
	}
	e := &CallError{Call: hcclNames[name], Code: code, Meaning: hcclMeanings[code]}
	if f := h.funcs[hcclGetErrorString]; f != 0 {
		e.Said = oneLine(dl.String(f.Call(uintptr(code))))
	}
	return e
}

// initAll makes a communicator for each chip of one process.
func (h *hccl) initAll(devices []int32) ([]handle, error) {
	comms := make([]handle, len(devices))
	err := h.call(hcclCommInitAll, uintptr(len(devices)),
		uintptr(unsafe.Pointer(unsafe.SliceData(devices))),
		uintptr(unsafe.Pointer(unsafe.SliceData(comms))))
	return comms, err
}

// initCluster makes the communicator of one rank of a rank table.
func (h *hccl) initCluster(table string, rank int) (handle, error) {
	c := new(handle)
	err := h.call(hcclCommInitClusterInfo, uintptr(unsafe.Pointer(cString(table))), uintptr(rank),
		uintptr(unsafe.Pointer(c)))
	return *c, of(table, err)
}

// rootInfo is what the other members of a new communicator need to know of its first.
func (h *hccl) rootInfo() ([]byte, error) {
	info := make([]byte, rootBytes)
	return info, h.call(hcclGetRootInfo, uintptr(unsafe.Pointer(unsafe.SliceData(info))))
}

// initRoot makes the communicator of number rank of size members; it waits for the others.
func (h *hccl) initRoot(size int, info []byte, rank int) (handle, error) {
	c := new(handle)
	err := h.call(hcclCommInitRootInfo, uintptr(size), uintptr(unsafe.Pointer(unsafe.SliceData(info))),
		uintptr(rank), uintptr(unsafe.Pointer(c)))
	return *c, err
}

func (h *hccl) destroy(c handle) error { return h.call(hcclCommDestroy, uintptr(c)) }

// HcclDataType of element types; HCCL has none for the others.
var hcclTypes = map[dtype.Type]uintptr{
	dtype.I8: 0, dtype.I32: 2, dtype.F16: 3, dtype.F32: 4, dtype.I64: 5, dtype.U8: 7, dtype.BF16: 11,
}

// sum is HCCL_REDUCE_SUM.
const sum = 0

// collective puts a collective on a stream: count is that of the smaller side.
func (h *hccl) collective(op comm.Op, send, recv uintptr, count int64, t dtype.Type,
	c, stream handle) error {
	n, kind := uintptr(count), hcclTypes[t]
	switch op {
	case comm.AllGather:
		return h.call(hcclAllGather, send, recv, n, kind, uintptr(c), uintptr(stream))
	case comm.ReduceScatter:
		return h.call(hcclReduceScatter, send, recv, n, kind, sum, uintptr(c), uintptr(stream))
	}
	return h.call(hcclAllReduce, send, recv, n, kind, sum, uintptr(c), uintptr(stream))
}
