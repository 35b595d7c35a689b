package sqlite

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// ownerOnly gives everything to the owner, the system and the administrators, also in
// what is made inside, and takes over nothing from the folder above.
const ownerOnly = "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

// makeFolder makes a folder, with those above it, for its owner only. One that is there
// keeps its rights.
func makeFolder(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	sd, err := windows.SecurityDescriptorFromString(ownerOnly)
	if err != nil {
		return &os.PathError{Op: "protect", Path: dir, Err: err}
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return &os.PathError{Op: "protect", Path: dir, Err: err}
	}
	err = windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
	if err != nil {
		return &os.PathError{Op: "protect", Path: dir, Err: err}
	}
	return nil
}

// share does nothing: what is made in a folder has the folder's rights.
func share(string, os.FileInfo) error { return nil }

// syncFolder does nothing: Windows keeps names without being asked.
func syncFolder(string) error { return nil }

// Writable says whether dir is a folder in which this user may make files.
func Writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".anaplan-runner-*")
	if err != nil {
		return false
	}
	f.Close()
	os.Remove(f.Name())
	return true
}

// mayWrite says why this user may not write a file that is there.
func mayWrite(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
