package data

import (
	"archive/zip"
	"io"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressed writes to w what its name's ending asks for: .gz, .zst, .zip, else the bytes
// as they are. Closing it does not close w.
func compressed(w io.Writer, name string) (io.WriteCloser, error) {
	base := baseOf(name)
	switch extension := strings.ToLower(path.Ext(base)); extension {
	case ".gz":
		return gzip.NewWriter(w), nil
	case ".zst":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	case ".zip":
		z := zip.NewWriter(w)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
		member, err := z.CreateHeader(&zip.FileHeader{Name: base[:len(base)-len(extension)], Method: zip.Deflate, Modified: time.Now()})
		return zipped{member, z}, err
	}
	return asItIs{w}, nil
}

// baseOf is the last part of a name.
func baseOf(name string) string {
	if Remote(name) {
		return path.Base(Display(name))
	}
	return filepath.Base(name)
}

type asItIs struct{ io.Writer }

func (asItIs) Close() error { return nil }

// zipped is the one file of an archive.
type zipped struct {
	io.Writer
	archive *zip.Writer
}

func (z zipped) Close() error { return z.archive.Close() }
