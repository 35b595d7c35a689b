package data

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// maxDirectory bounds the list of files of a ZIP archive, which is held in memory.
const maxDirectory = 1 << 20

// openMember reads one file of a ZIP archive: the one that is named, or the only one.
func openMember(r io.ReaderAt, size int64, member string) (io.ReadCloser, error) {
	limited := &limitedAt{r: r, left: maxDirectory}
	archive, err := zip.NewReader(limited, size)
	switch {
	case errors.Is(err, errDirectory):
		return nil, &InputError{What: "it is a ZIP archive of too many files", Next: "pack the one file alone"}
	case errors.Is(err, zip.ErrFormat) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &InputError{What: "it is a ZIP archive and cut off, or damaged", Next: "write or copy the file again, whole"}
	case err != nil:
		return nil, damaged("zip", err)
	}
	limited.left = -1
	archive.RegisterDecompressor(zip.Deflate, flate.NewReader)
	archive.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow)))
	f, err := pickMember(archive.File, member)
	if err != nil {
		return nil, err
	}
	if f.Flags&1 != 0 {
		return nil, &InputError{What: "it is a ZIP archive with a password", Next: "pack it without one"}
	}
	content, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return nil, &InputError{What: fmt.Sprintf("it is a ZIP archive packed with method %d, which is not known", f.Method), Next: "pack it with deflate"}
	}
	if err != nil {
		return nil, damaged("zip", err)
	}
	return content, nil
}

// pickMember finds the file of an archive. Folders, and what macOS adds, do not count.
func pickMember(all []*zip.File, member string) (*zip.File, error) {
	var files []*zip.File
	var names []string
	for _, f := range all {
		if strings.HasSuffix(f.Name, "/") || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		if f.Name == "[Content_Types].xml" {
			return nil, &InputError{What: "it is an Excel workbook, not text", Next: "export it as CSV"}
		}
		files, names = append(files, f), append(names, f.Name)
	}
	if member != "" {
		i := slices.Index(names, member)
		switch {
		case i < 0:
			return nil, &InputError{What: fmt.Sprintf("the archive holds no file %q", member), Next: holds(names)}
		case slices.Contains(names[i+1:], member):
			return nil, &InputError{What: fmt.Sprintf("the archive holds two files %q", member), Next: "pack it again"}
		}
		return files[i], nil
	}
	switch len(files) {
	case 0:
		return nil, &InputError{What: "it is a ZIP archive without a file", Next: "find out why nothing was packed"}
	case 1:
		return files[0], nil
	}
	return nil, &InputError{What: fmt.Sprintf("it is a ZIP archive of %d files", len(files)), Next: "write member = \"…\": " + holds(names)}
}

func holds(names []string) string {
	if len(names) == 0 {
		return "it holds none"
	}
	return "it holds " + quoted(names)
}

var errDirectory = errors.New("too much is read")

// limitedAt reads only so many bytes; -1: all.
type limitedAt struct {
	r    io.ReaderAt
	left int64
}

func (l *limitedAt) ReadAt(p []byte, at int64) (int, error) {
	if l.left >= 0 {
		if l.left -= int64(len(p)); l.left < 0 {
			l.left = 0
			return 0, errDirectory
		}
	}
	return l.r.ReadAt(p, at)
}
