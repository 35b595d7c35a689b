// Package transfer moves server files in chunks, several at a time: [Send] uploads a
// source, [Receive] downloads to a writer.
//
// # Memory
//
// Memory is bounded whatever the size of the file: each transfer reserves what it needs
// from its [Budget], which transfers may share, before it reads a byte. A chunk that is
// compressed is compressed where it lies, and keeps only what is sent. Of a download the
// chunk whose turn it is needs none: its bytes go straight on; the others keep theirs. With
// little memory there are fewer or smaller chunks at a time, and it goes on all the same.
//
// # Speed
//
// Chunks are read (from an io.ReaderAt), compressed and sent in parallel, each stage by
// itself: compression on all cores whatever the number of connections, and only as far
// ahead of them as they need. The size of chunks follows from that of the file. The level
// of compression follows from what the line and the cores were seen to do, and chunks that
// get no smaller are sent as they are. A [Line] is a bandwidth that transfers share.
//
// # What is repeated
//
// Each chunk is repeated by itself: Anaplan takes the same number again, and gives any
// chunk again (anaplan-api.md 9.4, 9.8). Requests are repeated by the wrappers of package
// anaplan; a chunk whose bytes break off on the way down is asked for again here. There
// is no limit for a transfer as a whole, only for standing still, and, with
// [WhileBusy], that does not count while the model works: calls about files hang then.
//
// # What is promised
//
// A server file holds exactly the source's bytes when Send returns without an error.
// Before its last chunk is sent (or, when the length is unknown, before the upload is
// completed) the source has been read to its end and found to be as long as it was said
// to be, and to have the digest that was asked for; so a source that changes meanwhile
// leaves an upload that is not finished. After an error the content of the server file
// is undefined: it must be uploaded again before an import reads it.
//
// The writer has exactly the bytes of the server file when Receive returns without an
// error; else it has the first of them, maybe none.
//
// Whoever calls sees to it that nobody else writes the same server file, and that no
// import reads it meanwhile: Anaplan does not (anaplan-api.md 8.3).
package transfer

import "errors"

// Errors of a transfer, compared with errors.Is, besides those of package anaplan.
var (
	ErrEmpty    = errors.New("the source is empty") // Anaplan keeps no content of 0 bytes (anaplan-api.md 9.10)
	ErrTooLarge = errors.New("the source is too large")
	ErrChanged  = errors.New("the source changed while it was read")
)
