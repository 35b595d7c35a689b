package cli

// Harden does nothing on Windows: whether a crash writes memory is a setting of the
// machine there (Windows Error Reporting), not of the process.
func Harden() {}
