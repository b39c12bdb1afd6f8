//go:build unix

package driver

import "syscall"

func setUmask(mask int) { syscall.Umask(mask) }
