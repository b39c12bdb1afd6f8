package npu

import (
	"strings"
	"unsafe"

	"moge/runtime/npu/dl"
)

// aclName is a function of AscendCL.
type aclName int

// The functions in use. Signatures: acl_rt.h and acl_base.h of CANN 8.1, all return 0 or a code.
const (
	aclInit aclName = iota
	aclFinalize
	aclrtGetSocName
	aclrtGetDeviceCount
	aclrtSetDevice
	aclrtResetDevice
	aclrtCreateContext
	aclrtDestroyContext
	aclrtSetCurrentContext
	aclrtCreateStream
	aclrtDestroyStream
	aclrtSynchronizeStream
	aclrtCreateEvent
	aclrtDestroyEvent
	aclrtRecordEvent
	aclrtEventElapsedTime
	aclrtMalloc
	aclrtFree
	aclrtMallocHost
	aclrtFreeHost
	aclrtMemcpy
	aclrtMemcpyAsync
	aclrtMemsetAsync
	aclrtGetMemInfo
	aclrtBinaryLoadFromFile
	aclrtBinaryUnLoad
	aclrtBinaryGetFunction
	aclrtKernelArgsInit
	aclrtKernelArgsAppend
	aclrtKernelArgsFinalize
	aclrtLaunchKernelWithConfig
	aclGetRecentErrMsg // from here on those that an older CANN may lack
	aclrtSynchronizeStreamWithTimeout
	aclrtStreamAbort
	aclrtDestroyStreamForce
)

const aclOptional = aclGetRecentErrMsg

var aclNames = [...]string{
	"aclInit", "aclFinalize", "aclrtGetSocName", "aclrtGetDeviceCount", "aclrtSetDevice",
	"aclrtResetDevice", "aclrtCreateContext", "aclrtDestroyContext", "aclrtSetCurrentContext",
	"aclrtCreateStream", "aclrtDestroyStream", "aclrtSynchronizeStream", "aclrtCreateEvent",
	"aclrtDestroyEvent", "aclrtRecordEvent", "aclrtEventElapsedTime",
	"aclrtMalloc", "aclrtFree", "aclrtMallocHost", "aclrtFreeHost", "aclrtMemcpy", "aclrtMemcpyAsync",
	"aclrtMemsetAsync", "aclrtGetMemInfo", "aclrtBinaryLoadFromFile",
	"aclrtBinaryUnLoad", "aclrtBinaryGetFunction", "aclrtKernelArgsInit", "aclrtKernelArgsAppend",
	"aclrtKernelArgsFinalize", "aclrtLaunchKernelWithConfig",
	"aclGetRecentErrMsg", "aclrtSynchronizeStreamWithTimeout", "aclrtStreamAbort",
	"aclrtDestroyStreamForce",
}

// handle is a context, stream, event, binary, function or list of arguments.
type handle uintptr

// acl is AscendCL.
type acl struct {
	path  string
	funcs []dl.Func
}

func loadACL(folders []string) (*acl, error) {
	f := locate(aclFile, folders)
	if f.lib == nil {
		return nil, f.missing(aclFile)
	}
	funcs, err := symbols(f, aclNames[:aclOptional], aclNames[aclOptional:])
	if err != nil {
		return nil, err
	}
	return &acl{f.path, funcs}, nil
}

// has reports an optional function.
func (a *acl) has(name aclName) bool { return a.funcs[name] != 0 }

// call calls a function that returns a code.
//
//go:uintptrescapes
func (a *acl) call(name aclName, args ...uintptr) error {
	code := int32(a.funcs[name].Call(args...))
	if code == 0 {
		return nil
	}
	e := &CallError{Call: aclNames[name], Code: code, Meaning: aclMeanings[code]}
	if a.has(aclGetRecentErrMsg) {
		e.Said = oneLine(dl.String(a.funcs[aclGetRecentErrMsg].Call()))
	}
	return e
}

// of says what a failed call was for.
func of(what string, err error) error {
	if e, ok := err.(*CallError); ok {
		e.What = what
	}
	return err
}

// oneLine puts what a library says on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cString ends a string as C wants it.
func cString(s string) *byte { return unsafe.SliceData(append([]byte(s), 0)) }

func (a *acl) init() error     { return a.call(aclInit, 0) }
func (a *acl) finalize() error { return a.call(aclFinalize) }

// socName is the chip's name, such as "Ascend310P3".
func (a *acl) socName() (string, error) {
	name := dl.String(a.funcs[aclrtGetSocName].Call())
	if name == "" {
		return "", &CallError{Call: aclNames[aclrtGetSocName], Code: -1, Meaning: "it gives no name"}
	}
	return name, nil
}

func (a *acl) deviceCount() (int, error) {
	n := new(uint32)
	err := a.call(aclrtGetDeviceCount, uintptr(unsafe.Pointer(n)))
	return int(*n), err
}

func (a *acl) setDevice(device int) error   { return a.call(aclrtSetDevice, uintptr(device)) }
func (a *acl) resetDevice(device int) error { return a.call(aclrtResetDevice, uintptr(device)) }

func (a *acl) createContext(device int) (handle, error) {
	h := new(handle)
	err := a.call(aclrtCreateContext, uintptr(unsafe.Pointer(h)), uintptr(device))
	return *h, err
}

func (a *acl) destroyContext(c handle) error    { return a.call(aclrtDestroyContext, uintptr(c)) }
func (a *acl) setCurrentContext(c handle) error { return a.call(aclrtSetCurrentContext, uintptr(c)) }

// memInfo is the free and the whole memory of the current chip. Attribute 0 is DDR, which a 310P has,
// 1 HBM (aclrtMemAttr).
func (a *acl) memInfo(hbm bool) (free, total int64, err error) {
	f, t, attribute := new(uint64), new(uint64), uintptr(0)
	if hbm {
		attribute = 1
	}
	err = a.call(aclrtGetMemInfo, attribute, uintptr(unsafe.Pointer(f)), uintptr(unsafe.Pointer(t)))
	return int64(*f), int64(*t), err
}
