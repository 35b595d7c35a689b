//go:build !windows

package keystore

// modesMean says that the permission bits of a file are what the system goes by.
const modesMean = true
