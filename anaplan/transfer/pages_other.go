//go:build !linux

package transfer

func inLargePages([]byte) {}
