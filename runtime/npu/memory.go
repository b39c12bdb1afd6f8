package npu

import "unsafe"

// Directions of a copy (aclrtMemcpyKind).
const (
	hostToDevice   = 1
	deviceToHost   = 2
	deviceToDevice = 3
)

// hugeFirst asks for huge pages where there are some (aclrtMemMallocPolicy).
const hugeFirst = 0

func (a *acl) malloc(bytes int64) (uintptr, error) {
	at := new(uintptr)
	err := a.call(aclrtMalloc, uintptr(unsafe.Pointer(at)), uintptr(bytes), hugeFirst)
	return *at, err
}

func (a *acl) free(at uintptr) error { return a.call(aclrtFree, at) }

// mallocHost is memory of the host that copies can run from while the caller goes on.
func (a *acl) mallocHost(bytes int) (uintptr, error) {
	at := new(uintptr)
	err := a.call(aclrtMallocHost, uintptr(unsafe.Pointer(at)), uintptr(bytes))
	return *at, err
}

func (a *acl) freeHost(at uintptr) error { return a.call(aclrtFreeHost, at) }

// write copies to the current chip; it does not wait for streams.
func (a *acl) write(at uintptr, data []byte) error {
	n := uintptr(len(data))
	return a.call(aclrtMemcpy, at, n, uintptr(unsafe.Pointer(unsafe.SliceData(data))), n, hostToDevice)
}

// read copies from the current chip; it does not wait for streams.
func (a *acl) read(into []byte, at uintptr) error {
	n := uintptr(len(into))
	return a.call(aclrtMemcpy, uintptr(unsafe.Pointer(unsafe.SliceData(into))), n, at, n, deviceToHost)
}

// copyAsync puts a copy on a stream; memory of the host is such as mallocHost gives.
func (a *acl) copyAsync(to, from uintptr, n int64, kind int, s handle) error {
	return a.call(aclrtMemcpyAsync, to, uintptr(n), from, uintptr(n), uintptr(kind), uintptr(s))
}

// clearAsync puts the clearing of memory of the chip on a stream.
func (a *acl) clearAsync(at uintptr, n int64, s handle) error {
	return a.call(aclrtMemsetAsync, at, uintptr(n), 0, uintptr(n), uintptr(s))
}
