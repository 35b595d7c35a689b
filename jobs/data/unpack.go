package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxSent is the most that a server file takes: 1000 chunks of 50 MB (anaplan-api.md 9.4).
// It bounds what an archive unpacks to.
const maxSent = 1000 * 50_000_000

// maxWindow bounds what zstd keeps in memory; without --long it writes 8 MB at most.
const maxWindow = 32 << 20

// packing is how a file is compressed.
type packing int

const (
	notPacked packing = iota
	packedGzip
	packedZstd
	packedZip
)

// packingOf recognises it by the first bytes.
func packingOf(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return packedGzip
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")),
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")): // a frame to skip
		return packedZstd
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return packedZip
	}
	return notPacked
}

// unpacked reads what is in a file. Its errors are *InputError without a path.
func unpacked(f *os.File, size int64, kind packing, member string) (io.ReadCloser, error) {
	var r io.ReadCloser
	switch kind {
	case packedGzip:
		z, err := gzip.NewReader(io.NewSectionReader(f, 0, size)) // members that follow are read too
		if err != nil {
			return nil, damaged("gzip", err)
		}
		r = z
	case packedZstd:
		z, err := zstd.NewReader(io.NewSectionReader(f, 0, size), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(1<<63))
		if err != nil {
			return nil, damaged("zstd", err)
		}
		r = z.IOReadCloser()
	case packedZip:
		z, err := openMember(f, size, member)
		if err != nil {
			return nil, err
		}
		r = z
	default:
		return io.NopCloser(io.NewSectionReader(f, 0, size)), nil
	}
	return &unpacking{ReadCloser: r, kind: kind, left: maxSent}, nil
}

func (k packing) String() string { return [...]string{"plain", "gzip", "zstd", "zip"}[k] }

// unpacking explains the errors of a decompressor and limits what comes out of it.
type unpacking struct {
	io.ReadCloser
	kind packing
	left int64
}

func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, &InputError{What: fmt.Sprintf("it unpacks to more than %d GB, which no server file takes", int64(maxSent/1_000_000_000)), Next: "split it"}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(u.kind.String(), err)
	}
	return n, err
}

// damaged explains what a decompressor says.
func damaged(kind string, err error) error {
	if e, ok := errors.AsType[*InputError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return &InputError{What: unreadable, Next: readable, Err: e.Err}
	}
	again := "write or copy the file again, whole"
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &InputError{What: "it is " + kind + " and cut off", Next: again}
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrWindowSizeTooSmall):
		return &InputError{What: fmt.Sprintf("it is zstd with a window of more than %d MB", maxWindow>>20), Next: "compress it without --long"}
	}
	return &InputError{What: "it is " + kind + " and damaged", Next: again, Err: err}
}
