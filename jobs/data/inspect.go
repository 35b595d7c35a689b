package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/xxh3"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// InputError says that a source cannot be used. Nothing was sent.
type InputError struct {
	Path string
	What string
	Next string // what to do
	Err  error
}

func (e *InputError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Path, e.What, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Path, e.What)
}

func (e *InputError) Unwrap() error { return e.Err }

// Inspect reads a file once, in bounded memory, and counts its rows by its format. Every
// error is an *InputError, or that of ctx.
func Inspect(ctx context.Context, path string, format Format) (Facts, error) {
	refuse := func(what, next string, err error) (Facts, error) {
		return Facts{}, &InputError{Path: path, What: what, Next: next, Err: cause(err)}
	}
	const unreadable, readable = "it cannot be read", "give a path that the runner's user can read"
	// Opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return refuse(unreadable, readable, err)
	case info.IsDir():
		return refuse("it is a folder", "give the path of a file", nil)
	case !info.Mode().IsRegular():
		return refuse("it is not a regular file: it can be read only once, and is checked before it is sent",
			"write it to a file first", nil)
	case info.Size() == 0:
		return refuse("it is empty (0 bytes)", "find out why nothing was written; a file without rows still has its header", nil)
	}
	f, err := os.Open(path)
	if err != nil {
		return refuse(unreadable, readable, err)
	}
	defer f.Close()
	// One byte more than it had tells that it grows; it is not followed.
	in := &counting{ctx: ctx, r: io.LimitReader(f, info.Size()+1), digest: xxh3.New()}
	facts, err := read(in, format)
	after, statErr := f.Stat()
	switch {
	case ctx.Err() != nil:
		return Facts{}, context.Cause(ctx)
	case statErr != nil:
		return refuse(unreadable, readable, statErr)
	case after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()):
		return refuse("it is being written: it changed while it was read", "run this after it was written, or write to another name and rename it", nil)
	}
	if e, ok := errors.AsType[*InputError](err); ok {
		e.Path = path
		return Facts{}, e
	}
	if err != nil {
		return refuse(unreadable, readable, err)
	}
	sum := in.digest.Sum128().Bytes()
	facts.Bytes, facts.Modified, facts.Digest = in.n, info.ModTime(), fmt.Sprintf("%x", sum[:])
	return facts, nil
}

// read takes in the bytes of a file.
func read(in *counting, format Format) (Facts, error) {
	begin := bufio.NewReaderSize(in, 1<<20)
	if format.Opaque {
		_, err := io.Copy(io.Discard, begin)
		return Facts{Opaque: true}, err
	}
	head, _ := begin.Peek(512) // an error comes again when it is read
	if what, next := looksLike(head, format); what != "" {
		return Facts{}, &InputError{What: what, Next: next}
	}
	records := scanner{format: format, header: make([]byte, 0, 256), utf8: isUTF8(format.Encoding)}
	if err := records.scan(decoded(begin, format.Encoding)); err != nil {
		return Facts{}, err
	}
	if records.nul > 0 { // what a writer leaves that died, or a file system that lost the end
		return Facts{}, &InputError{What: fmt.Sprintf("row %d holds NUL bytes: it is not text, or only half written", records.nul),
			Next: "write the file again, whole"}
	}
	if records.open() {
		return Facts{}, &InputError{What: fmt.Sprintf("the text delimiter %s that opens in row %d is never closed: the file is cut off, or not in the format that Anaplan's import expects",
			format.Delimiter, records.openRow),
			Next: "write the file again, whole; or correct the delimiter of the import's file in Anaplan"}
	}
	facts := Facts{Rows: records.rows, Header: records.names()}
	if records.invalid > 0 {
		facts.Warning = fmt.Sprintf("row %d is not UTF-8, which Anaplan's import expects: its special letters may be loaded wrong", records.invalid)
	}
	return facts, nil
}

func isUTF8(encoding string) bool { return encoding == "" || encoding == "UTF-8" }

// cause is an error without the path, which stands before it already.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// counting counts bytes and takes their digest, and ends with its context.
type counting struct {
	ctx    context.Context
	r      io.Reader
	n      int64
	digest *xxh3.Hasher
}

func (c *counting) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	_, _ = c.digest.Write(p[:n]) // never fails
	return n, err
}

// looksLike recognises files that are no text of this encoding.
func looksLike(head []byte, f Format) (what, next string) {
	for _, k := range []struct {
		magic      string
		what, next string
	}{
		{"PK\x03\x04", "it is a ZIP archive or an Excel workbook, not text", "export it as CSV"},
		{"\x1f\x8b", "it is compressed with gzip", "give the plain file: uploads are compressed on the way"},
		{"\x28\xb5\x2f\xfd", "it is compressed with zstd", "give the plain file"},
		{"\xd0\xcf\x11\xe0", "it is an old Excel workbook, not text", "export it as CSV"},
		{"%PDF", "it is a PDF, not text", "export it as CSV"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.what, k.next
		}
	}
	utf16 := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
	switch {
	case utf16 && f.Encoding != "UTF-16LE" && f.Encoding != "UTF-16BE" && f.Encoding != "UTF-16":
		return fmt.Sprintf("it is UTF-16, Anaplan's import expects %s", or(f.Encoding, "UTF-8")), "write it as UTF-8, or change the encoding of the import's file in Anaplan"
	case !utf16 && (isUTF8(f.Encoding) || f.Encoding == "ISO-8859-1") && bytes.IndexByte(head, 0) >= 0:
		return "it holds NUL bytes: it is not text, or only half written", "write the file again, whole"
	}
	return "", ""
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// decoded gives UTF-8 of what is in an encoding. What is not known is read as it is.
func decoded(r *bufio.Reader, encoding string) *bufio.Reader {
	switch encoding {
	case "", "UTF-8":
		if b, _ := r.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) {
			_, _ = r.Discard(3)
		}
		return r
	case "ISO-8859-1":
		return bufio.NewReaderSize(transform.NewReader(r, charmap.ISO8859_1.NewDecoder()), 1<<16)
	case "UTF-16LE", "UTF-16":
		return bufio.NewReaderSize(transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), 1<<16)
	case "UTF-16BE":
		return bufio.NewReaderSize(transform.NewReader(r, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), 1<<16)
	}
	return r
}
