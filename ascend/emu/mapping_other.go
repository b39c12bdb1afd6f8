//go:build !linux && !darwin

package emu

import (
	"errors"
	"os"
)

var errHost = errors.New("kernels are emulated on Linux and macOS hosts only")

func shareMemory(int64) (*os.File, []byte, error) { return nil, nil, errHost }

func releaseMemory(*os.File, []byte) error { return nil }
