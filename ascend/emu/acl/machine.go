package acl

import (
	"context"
	"path/filepath"
	"time"
	"unsafe"

	"moge/runtime/npu/dl"
)

// Machine is the emulated machine of this process. Its libraries stay loaded: there is one.
type Machine struct {
	dir                                   string
	configure, fault, count, call, report dl.Func
}

// Config is what the machine has.
type Config struct {
	Devices int
	Chip    string        // such as "Ascend310P3"
	Memory  int64         // bytes of each device; taken as they are written
	Connect time.Duration // how long a communicator waits for its members
	Execute time.Duration // how long a collective does
	Delay   time.Duration // before each task of a stream
}

// Load builds the libraries and loads them. The environment variables MOGE_EMULATED_DEVICES, _SOC,
// _MEMORY and _FAULT (function:n:code) say the same as Configure and Fault to a process that does not.
func Load(ctx context.Context) (*Machine, error) {
	dir, err := Build(ctx)
	if err != nil {
		return nil, err
	}
	lib, err := dl.Open(filepath.Join(dir, "libascendcl.so"))
	if err != nil {
		return nil, err
	}
	return &Machine{dir, lib.Func("mogeEmulatedConfigure"), lib.Func("mogeEmulatedFault"),
		lib.Func("mogeEmulatedCalls"), lib.Func("mogeEmulatedCall"), lib.Func("mogeEmulatedReport")}, nil
}

// Dir is the folder of the libraries.
func (m *Machine) Dir() string { return m.dir }

// Configure makes the machine new: no faults, no calls, nothing to report. It is for when AscendCL is
// not initialized.
func (m *Machine) Configure(c Config) {
	chip := append([]byte(c.Chip), 0)
	m.configure.Call(uintptr(c.Devices), uintptr(unsafe.Pointer(unsafe.SliceData(chip))),
		uintptr(c.Memory), uintptr(c.Connect.Milliseconds()), uintptr(c.Execute.Milliseconds()),
		uintptr(c.Delay.Microseconds()))
}

// Fault makes call number n of a function fail with a code, n from 1; function "*" counts all calls.
// Calls that give something back do so all the same, and then fail.
func (m *Machine) Fault(function string, n int, code int32) {
	name := append([]byte(function), 0)
	m.fault.Call(uintptr(unsafe.Pointer(unsafe.SliceData(name))), uintptr(n), uintptr(code))
}

// Calls are the names of the functions called since Configure, in order.
func (m *Machine) Calls() []string {
	list := make([]string, m.count.Call())
	for i := range list {
		list[i] = dl.String(m.call.Call(uintptr(i)))
	}
	return list
}

// Report lists what was misused since Configure, and what was outstanding when aclFinalize was called,
// a line each; "" if all was well.
func (m *Machine) Report() string { return dl.String(m.report.Call()) }
