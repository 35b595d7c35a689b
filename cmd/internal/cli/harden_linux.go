package cli

import (
	"golang.org/x/sys/unix"
)

// Harden keeps the memory of this process, which holds keys, out of core dumps: the limit
// is 0, and the process is not dumpable. Who may read /proc/self is root then, or the
// process itself. Programs that are started are dumpable again, since that is not
// inherited, and make no core files, since the limit is: their environment and input are
// ours. A system that refuses it refuses it: nothing else depends on it.
func Harden() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
