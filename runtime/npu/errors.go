package npu

import (
	"errors"
	"fmt"
)

// Causes that callers tell apart with errors.Is.
var (
	// ErrInput: a bundle, a rank table or an option does not fit this machine.
	ErrInput = errors.New("does not fit this machine")
	// ErrResources: too few chips or too little memory.
	ErrResources = errors.New("not enough of this machine")
	// ErrMissing: software is not installed.
	ErrMissing = errors.New("software is missing")
)

// Error is what is wrong with the machine, or with what was asked of it.
type Error struct {
	// What is wrong, in one phrase.
	What string
	// Hint is what to do next; may be empty.
	Hint string
	// Kind is one of the causes above.
	Kind error
	// Err is the cause; may be nil.
	Err error
}

// Error is one line: what is wrong, why, what to do next.
func (e *Error) Error() string {
	text := e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap gives kind and cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// CallError is a call of a library that failed.
type CallError struct {
	Call    string // name of the function
	What    string // what it was for, such as "kernel gate_64"; may be empty
	Code    int32
	Meaning string // of the code, where it is known
	Said    string // what the library says to it
}

// Error is one line: the call, what it was for, the code and what it means.
func (e *CallError) Error() string {
	text := e.Call
	if e.What != "" {
		text += " of " + e.What
	}
	text += fmt.Sprintf(" failed with code %d", e.Code)
	if e.Meaning != "" {
		text += ", " + e.Meaning
	}
	if e.Said != "" {
		text += ": " + e.Said
	}
	return text
}

// RankError is an error on the chip of one rank.
type RankError struct {
	Rank, Chip int
	Err        error
}

// Error names rank and chip.
func (e *RankError) Error() string {
	return fmt.Sprintf("rank %d on chip %d: %v", e.Rank, e.Chip, e.Err)
}

// Unwrap gives the cause.
func (e *RankError) Unwrap() error { return e.Err }

// The codes of AscendCL that tell a user something (acl_base_rt.h, rt_error_codes.h of CANN 8).
const (
	aclUninitialized   = 100001
	aclNoMemory        = 207001
	aclStreamTimeout   = 507046
	aclRepeatedlyBegun = 100002
)

var aclMeanings = map[int32]string{
	100000:             "an argument is not valid",
	aclUninitialized:   "AscendCL is not initialized",
	aclRepeatedlyBegun: "AscendCL is initialized already",
	107000:             "an argument is not valid",
	107001:             "there is no such chip",
	107002:             "the thread has no context",
	107003:             "the stream belongs to another context",
	107017:             "there is no such context",
	107020:             "it took too long",
	aclNoMemory:        "the chip has no memory left",
	207005:             "the chip has nothing of a resource left",
	507000:             "internal error of the runtime",
	507008:             "the chip cannot be reached: no driver, or another process has it",
	507014:             "a kernel ran too long",
	507015:             "a kernel failed on the cores",
	507033:             "the chip cannot be set up: driver, firmware and CANN may not belong together",
	507035:             "a kernel failed on the vector cores",
	aclStreamTimeout:   "the stream took too long",
	507899:             "error of the driver: driver, firmware and CANN may not belong together",
}

// The codes of HCCL (hccl_types.h of CANN 8).
var hcclMeanings = map[int32]string{
	1: "an argument is not valid", 2: "a pointer is null", 3: "out of memory", 4: "internal error",
	5: "not supported on this chip", 6: "not found", 7: "a resource is not available",
	9: "another rank did not come in time", 12: "no connection to another rank",
	11: "no connection to another rank", 14: "a transfer failed", 15: "a call of the runtime failed",
	16: "a call of the driver failed", 19: "the network failed", 21: "another rank failed",
}
