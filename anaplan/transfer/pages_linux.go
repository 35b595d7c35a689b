package transfer

import "syscall"

// inLargePages asks for large pages of memory that is not used yet: each page is a fault when
// it is first written to, and 4 KiB at a time these take longer than to copy what is written.
// Where there are none, all is as it was.
func inLargePages(p []byte) { _ = syscall.Madvise(p, syscall.MADV_HUGEPAGE) }
