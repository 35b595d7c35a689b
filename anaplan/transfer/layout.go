package transfer

import (
	"fmt"
)

// The limits of an upload, before compression (anaplan-api.md 9.4).
const (
	DefaultChunk = 10 << 20
	MaxChunk     = 50_000_000
	MaxChunks    = 1000
)

// DefaultParallel is how many chunks are on their way at a time.
const DefaultParallel = 4

// chunkFor is the size of chunks for a file of so many bytes: as many that all connections
// and cores are busy from the beginning to the end, but of 1 MiB at least, and of 8 MiB at
// most, which is enough to make nothing of the requests; and so small that the memory has
// room for one on each connection. Files of 8 GB and more have larger ones (see layout).
func chunkFor(size int64, parallel int, memory int64) int64 {
	const least, most = 4 * slabSize, 32 * slabSize // 1 and 8 MiB
	chunk := slabsFor(size/12) * slabSize
	room := memory / int64(parallel+2) / slabSize * slabSize
	return max(slabSize, min(max(chunk, least), most, room))
}

// piece is a byte range that becomes one chunk.
type piece struct {
	n      int
	offset int64
	size   int64
}

// chunkSize is the size that was asked for, inside its limits.
func chunkSize(asked int64) int64 {
	if asked <= 0 {
		return DefaultChunk
	}
	return min(asked, MaxChunk)
}

// layout cuts size bytes into chunks of at most chunk bytes. If that would be more
// chunks than Anaplan allows, the chunks grow; what is too large even then is an error.
func layout(size, chunk int64) ([]piece, error) {
	chunk = chunkSize(chunk)
	if least := (size + MaxChunks - 1) / MaxChunks; least > chunk {
		chunk = least
	}
	if chunk > MaxChunk {
		return nil, fmt.Errorf("%w: %d bytes; Anaplan takes at most %d chunks of %d MB", ErrTooLarge, size, MaxChunks, MaxChunk/1_000_000)
	}
	var pieces []piece
	for at := int64(0); at < size; at += chunk {
		pieces = append(pieces, piece{n: len(pieces), offset: at, size: min(chunk, size-at)})
	}
	return pieces, nil
}

// growing is the size of the n-th chunk when the length is unknown: as asked for, but
// from the middle on as large as it may be, so that a long stream fits too.
func growing(n int, chunk int64) int64 {
	if n < MaxChunks/2 {
		return chunkSize(chunk)
	}
	return MaxChunk
}
