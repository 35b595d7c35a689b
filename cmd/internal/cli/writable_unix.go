//go:build unix

package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// writableDir asks the system, which writes nothing for it.
func writableDir(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("folder %s: %w", dir, err)
	}
	return nil
}
