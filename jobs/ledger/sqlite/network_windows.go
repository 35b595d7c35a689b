package sqlite

import (
	"os"

	"golang.org/x/sys/windows"
)

// network names the network file system on which a path lies, empty for a local one.
func network(path string) (string, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return "", &os.PathError{Op: "find the volume of", Path: path, Err: err}
	}
	volume := make([]uint16, windows.MAX_LONG_PATH)
	if err := windows.GetVolumePathName(p, &volume[0], uint32(len(volume))); err != nil {
		return "", &os.PathError{Op: "find the volume of", Path: path, Err: err}
	}
	if windows.GetDriveType(&volume[0]) == windows.DRIVE_REMOTE {
		return "a share: " + windows.UTF16ToString(volume), nil
	}
	return "", nil
}
