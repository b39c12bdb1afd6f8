package npu

import (
	"time"
	"unsafe"
)

func (a *acl) createStream() (handle, error) {
	h := new(handle)
	err := a.call(aclrtCreateStream, uintptr(unsafe.Pointer(h)))
	return *h, err
}

// destroyStream ends a stream; one that failed is ended whatever it still waits for.
func (a *acl) destroyStream(s handle, failed bool) error {
	if failed && a.has(aclrtDestroyStreamForce) {
		return a.call(aclrtDestroyStreamForce, uintptr(s))
	}
	return a.call(aclrtDestroyStream, uintptr(s))
}

// abortStream takes back what has not begun, and ends what waits.
func (a *acl) abortStream(s handle) error {
	if !a.has(aclrtStreamAbort) {
		return nil
	}
	return a.call(aclrtStreamAbort, uintptr(s))
}

// synchronize waits until a stream has done all, at most for the time given: done is false then. A
// library without a time limit waits on.
func (a *acl) synchronize(s handle, limit time.Duration) (done bool, err error) {
	if !a.has(aclrtSynchronizeStreamWithTimeout) {
		return true, a.call(aclrtSynchronizeStream, uintptr(s))
	}
	err = a.call(aclrtSynchronizeStreamWithTimeout, uintptr(s), uintptr(limit.Milliseconds()))
	if e, ok := err.(*CallError); ok && e.Code == aclStreamTimeout {
		return false, nil
	}
	return true, err
}

func (a *acl) createEvent() (handle, error) {
	h := new(handle)
	err := a.call(aclrtCreateEvent, uintptr(unsafe.Pointer(h)))
	return *h, err
}

func (a *acl) destroyEvent(e handle) error { return a.call(aclrtDestroyEvent, uintptr(e)) }

func (a *acl) recordEvent(e, s handle) error {
	return a.call(aclrtRecordEvent, uintptr(e), uintptr(s))
}

// elapsed is the time between two recorded events, both of which have happened.
func (a *acl) elapsed(from, to handle) (time.Duration, error) {
	ms := new(float32)
	err := a.call(aclrtEventElapsedTime, uintptr(unsafe.Pointer(ms)), uintptr(from), uintptr(to))
	return time.Duration(float64(*ms) * float64(time.Millisecond)), err
}
