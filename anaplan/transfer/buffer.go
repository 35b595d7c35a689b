package transfer

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// gzipLevel is the one that costs least time for its ratio: 250 MB/s a core.
const gzipLevel = 2

// buffer holds one chunk on its way, and is used again for another.
type buffer struct {
	plain  []byte
	zipped bytes.Buffer
	zip    *gzip.Writer
	lent   atomic.Int32 // bodies that are not closed yet
}

// body is what is sent of the chunk: its bytes, or one complete gzip member, since
// chunks are decompressed each by itself (anaplan-api.md 9.4).
func (b *buffer) body(zip bool) (anaplan.Body, error) {
	data := b.plain
	if zip {
		var err error
		if data, err = b.compress(); err != nil {
			return anaplan.Body{}, fmt.Errorf("compress: %w", err)
		}
	}
	return anaplan.Body{Size: int64(len(data)), Gzip: zip, Open: func() (io.ReadCloser, error) {
		b.lent.Add(1)
		return &body{Reader: bytes.NewReader(data), of: b}, nil
	}}, nil
}

func (b *buffer) compress() ([]byte, error) {
	b.zipped.Reset()
	b.zipped.Grow(len(b.plain)/3 + 1024)
	if b.zip == nil {
		zip, err := gzip.NewWriterLevel(&b.zipped, gzipLevel)
		if err != nil {
			return nil, err
		}
		b.zip = zip
	}
	b.zip.Reset(&b.zipped)
	if _, err := b.zip.Write(b.plain); err != nil {
		return nil, err
	}
	if err := b.zip.Close(); err != nil {
		return nil, err
	}
	return b.zipped.Bytes(), nil
}

// again is a buffer for the next chunk: this one, unless somebody may still read it. A
// transport may close a request's body after it has answered.
func (b *buffer) again() *buffer {
	if b.lent.Load() > 0 {
		return &buffer{}
	}
	b.plain = b.plain[:cap(b.plain)]
	return b
}

// body is a buffer's content as the body of one request.
type body struct {
	*bytes.Reader
	of     *buffer
	closed atomic.Bool
}

func (b *body) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.of.lent.Add(-1)
	}
	return nil
}
