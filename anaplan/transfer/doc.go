// Package transfer moves server files: uploads in chunks, several at a time, and
// downloads that are complete and in place, or not there.
//
// Memory is bounded by chunk size times parallel chunks, whatever the size of the file.
// A chunk is repeated by itself: Anaplan takes the same number again, and gives any
// chunk again (anaplan-api.md 9.4, 9.8). Whoever calls sees to it that nobody else
// writes the same server file, and that no import reads it meanwhile (8.3).
package transfer

import "errors"

// Errors of a transfer, compared with errors.Is, besides those of package anaplan.
var (
	ErrEmpty    = errors.New("the source is empty") // Anaplan keeps no content of 0 bytes (anaplan-api.md 9.10)
	ErrTooLarge = errors.New("the source is too large")
	ErrChanged  = errors.New("the source changed while it was read")
)
