//go:build unix && !linux

package cli

import "golang.org/x/sys/unix"

// Harden keeps the memory of this process, which holds keys, out of core files. Programs
// that are started inherit it.
func Harden() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
