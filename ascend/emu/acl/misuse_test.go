package acl

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"moge/ascend/emu"
	"moge/runtime/npu/dl"
)

// raw calls functions of the libraries as C would.
type raw struct {
	*Machine
	t    *testing.T
	libs []*dl.Library
}

func load(t *testing.T) *raw {
	t.Helper()
	if err := dl.Supported(); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	if err := emu.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: ", err)
	}
	m, err := Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{Machine: m, t: t}
	for _, name := range []string{"libascendcl.so", "libhccl.so"} {
		lib, err := dl.Open(filepath.Join(m.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		r.libs = append(r.libs, lib)
	}
	m.Configure(Config{Devices: 2, Chip: "Ascend910B4", Memory: 1 << 20, Connect: 50 * time.Millisecond,
		Execute: 50 * time.Millisecond})
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	return r
}

// call fails the test unless the function gives the code.
//
//go:uintptrescapes
func (r *raw) call(code int32, name string, args ...uintptr) {
	r.t.Helper()
	f := r.libs[0].Func(name)
	if f == 0 {
		f = r.libs[1].Func(name)
	}
	if got := int32(f.Call(args...)); got != code {
		r.t.Errorf("%s gives %d, want %d", name, got, code)
	}
}

// begin takes device 0 with a context and a stream.
func (r *raw) begin() (context, stream uintptr) {
	c, s := new(uintptr), new(uintptr)
	r.call(0, "aclInit", 0)
	r.call(0, "aclrtSetDevice", 0)
	r.call(0, "aclrtCreateContext", uintptr(unsafe.Pointer(c)), 0)
	r.call(0, "aclrtCreateStream", uintptr(unsafe.Pointer(s)))
	return *c, *s
}

func (r *raw) end(context, stream uintptr) {
	r.call(0, "aclrtDestroyStream", stream)
	r.call(0, "aclrtDestroyContext", context)
	r.call(0, "aclrtResetDevice", 0)
	r.call(0, "aclFinalize")
}

func (r *raw) malloc(n uintptr) uintptr {
	at := new(uintptr)
	r.call(0, "aclrtMalloc", uintptr(unsafe.Pointer(at)), n, 0)
	return *at
}

// reports compares what the machine reports, line by line.
func (r *raw) reports(lines ...string) {
	r.t.Helper()
	if got, want := r.Report(), strings.Join(append(lines, ""), "\n"); got != want {
		r.t.Errorf("report\n%swant\n%s", got, want)
	}
}

func TestNothingToReport(t *testing.T) {
	r := load(t)
	c, s := r.begin()
	at := r.malloc(100)
	data := make([]byte, 100)
	r.call(0, "aclrtMemcpy", at, 100, uintptr(unsafe.Pointer(&data[0])), 100, 1)
	r.call(0, "aclrtMemsetAsync", at+10, 5, 7, 5, s)
	r.call(0, "aclrtSynchronizeStream", s)
	r.call(0, "aclrtMemcpy", uintptr(unsafe.Pointer(&data[0])), 100, at, 100, 2)
	if data[9] != 0 || data[10] != 7 || data[15] != 0 {
		t.Errorf("% x", data[:16])
	}
	r.call(0, "aclrtFree", at)
	r.end(c, s)
	r.reports()
	want := "aclInit aclrtSetDevice aclrtCreateContext aclrtCreateStream aclrtMalloc aclrtMemcpy " +
		"aclrtMemsetAsync aclrtSynchronizeStream aclrtMemcpy aclrtFree aclrtDestroyStream " +
		"aclrtDestroyContext aclrtResetDevice aclFinalize"
	if got := strings.Join(r.Calls(), " "); got != want {
		t.Errorf("calls %s", got)
	}
}

// Everything that is not given back is in the report.
func TestLeaks(t *testing.T) {
	r := load(t)
	_, _ = r.begin()
	e, host, comms, devices := new(uintptr), new(uintptr), make([]uintptr, 2), []int32{0, 1}
	r.call(0, "aclrtCreateEvent", uintptr(unsafe.Pointer(e)))
	r.call(0, "aclrtMallocHost", uintptr(unsafe.Pointer(host)), 64)
	r.call(
		0,
		"HcclCommInitAll",
		2,
		uintptr(unsafe.Pointer(&devices[0])),
		uintptr(unsafe.Pointer(&comms[0])),
	)
	r.malloc(77)
	r.call(0, "aclFinalize")
	r.reports("leak: context on device 0", "leak: stream on device 0", "leak: event on device 0",
		"leak: communicator on device 0", "leak: communicator on device 1", "leak: 64 bytes of the host",
		"leak: aclrtSetDevice on device 0", "leak: 77 bytes on device 0")
}

func TestMisuse(t *testing.T) {
	r := load(t)
	r.call(100001, "aclrtMalloc", uintptr(unsafe.Pointer(new(uintptr))), 1, 0)
	c, s := r.begin()
	r.call(100002, "aclInit", 0)
	at, data := r.malloc(100), make([]byte, 200)
	host := uintptr(unsafe.Pointer(&data[0]))
	r.call(107000, "aclrtMemcpy", at, 101, host, 101, 1)
	r.call(107000, "aclrtMemcpy", at+90, 11, host, 11, 1)
	r.call(107000, "aclrtMemcpy", at, 10, host, 11, 1)
	r.call(107000, "aclrtMemcpy", at, 10, at, 10, 1)
	r.call(0, "aclrtFree", at)
	r.call(107000, "aclrtFree", at)
	r.call(107000, "aclrtMemcpy", at, 1, host, 1, 1)
	other := new(uintptr)
	r.call(0, "aclrtCreateContext", uintptr(unsafe.Pointer(other)), 1)
	r.call(107003, "aclrtSynchronizeStream", s)
	r.call(0, "aclrtDestroyContext", *other)
	r.call(107017, "aclrtSetCurrentContext", *other)
	r.call(0, "aclrtSetCurrentContext", c)
	r.call(107000, "aclrtSynchronizeStream", c)
	r.call(0, "aclrtDestroyStream", s)
	r.call(107000, "aclrtSynchronizeStream", s)
	r.call(107001, "aclrtSetDevice", 5)
	done := make(chan bool)
	go func() { // a thread without a context
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		r.call(107002, "aclrtCreateStream", uintptr(unsafe.Pointer(new(uintptr))))
		done <- true
	}()
	<-done
	r.call(0, "aclrtDestroyContext", c)
	r.call(0, "aclrtResetDevice", 0)
	r.call(0, "aclFinalize")
	outside := "aclrtMemcpy: %s bytes are not inside one allocation of device 0"
	r.reports(
		"a call before aclInit or after aclFinalize",
		strings.Replace(outside, "%s", "101", 1),
		strings.Replace(
			outside,
			"%s",
			"11",
			1,
		),
		"aclrtMemcpy: more bytes than there is room for, or no such kind",
		"aclrtMemcpy: an address of a device where one of the host belongs",
		"aclrtFree of what was not allocated, or is free",
		strings.Replace(outside, "%s", "1", 1),
		"a stream of another context",
		"a handle that should name a context names a dead context",
		"a handle that should name a stream names context",
		"a handle that should name a stream names a dead stream",
		"a call on a thread without a device",
	)
}

// Collectives are refused that a chip cannot do, and one that is alone waits no longer than it may.
func TestCollectivesThatFail(t *testing.T) {
	r := load(t)
	c, s := r.begin()
	comms, devices := make([]uintptr, 2), []int32{0, 1}
	r.call(
		0,
		"HcclCommInitAll",
		2,
		uintptr(unsafe.Pointer(&devices[0])),
		uintptr(unsafe.Pointer(&comms[0])),
	)
	at := r.malloc(64)
	r.call(1, "HcclAllReduce", at, at, 4, 4, 0, comms[1], s) // the stream is of device 0
	r.call(5, "HcclAllReduce", at, at, 4, 6, 0, comms[0], s) // no sums of uint64
	r.call(0, "HcclAllReduce", at, at, 4, 4, 0, comms[0], s)
	r.call(507046, "aclrtSynchronizeStreamWithTimeout", s, 1)
	r.call(507015, "aclrtSynchronizeStream", s)
	said := dl.String(r.libs[0].Func("aclGetRecentErrMsg").Call())
	if said != "a collective of 2 ranks had 1" {
		t.Errorf("the library says %q", said)
	}
	info, comm := make([]byte, 4108), new(uintptr)
	r.call(0, "HcclGetRootInfo", uintptr(unsafe.Pointer(&info[0])))
	r.call(
		9,
		"HcclCommInitRootInfo",
		2,
		uintptr(unsafe.Pointer(&info[0])),
		0,
		uintptr(unsafe.Pointer(comm)),
	)
	r.call(0, "HcclCommDestroy", comms[0])
	r.call(1, "HcclCommDestroy", comms[0])
	r.call(0, "HcclCommDestroy", comms[1])
	r.call(0, "aclrtFree", at)
	r.end(c, s)
	r.reports("HcclAllReduce: a communicator of device 1 on a stream of device 0",
		"a handle that should name a communicator names a dead communicator")
}

// A fault happens in the call that it names and in no other; what gives back does so all the same.
func TestFaults(t *testing.T) {
	r := load(t)
	r.Fault("aclrtMalloc", 2, 207001)
	r.Fault("aclrtFree", 1, 507899)
	r.Fault("*", 1, 7)
	r.call(7, "aclInit", 0)
	c, s := r.begin()
	at := r.malloc(10)
	r.call(207001, "aclrtMalloc", uintptr(unsafe.Pointer(new(uintptr))), 10, 0)
	second := r.malloc(10)
	r.call(507899, "aclrtFree", at)
	r.call(0, "aclrtFree", second)
	r.end(c, s)
	r.reports()
}
