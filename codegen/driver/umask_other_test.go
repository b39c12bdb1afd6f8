//go:build !unix

package driver

func setUmask(int) {}
