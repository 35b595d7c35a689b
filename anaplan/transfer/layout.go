package transfer

import (
	"fmt"
)

// The limits of an upload (anaplan-api.md 9.4).
const (
	DefaultChunk = 10 << 20
	MaxChunk     = 50 << 20
	MaxChunks    = 1000
)

// piece is a byte range that becomes one chunk.
type piece struct {
	n      int
	offset int64
	size   int64
}

// layout cuts size bytes into chunks of at most chunk bytes. If that would be more
// chunks than Anaplan allows, the chunks grow; what is too large even then is an error.
func layout(size, chunk int64) ([]piece, error) {
	if chunk <= 0 {
		chunk = DefaultChunk
	}
	chunk = min(chunk, MaxChunk)
	if least := (size + MaxChunks - 1) / MaxChunks; least > chunk {
		chunk = least
	}
	if chunk > MaxChunk {
		return nil, fmt.Errorf("%w: %d bytes; Anaplan takes at most %d chunks of %d MB", ErrTooLarge, size, MaxChunks, MaxChunk>>20)
	}
	var pieces []piece
	for at := int64(0); at < size; at += chunk {
		pieces = append(pieces, piece{n: len(pieces), offset: at, size: min(chunk, size-at)})
	}
	return pieces, nil
}
