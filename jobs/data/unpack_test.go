package data

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func gzipped(t testing.TB, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts { // each is a member of its own
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func zstandard(t testing.TB, text string, options ...zstd.EOption) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type file struct{ name, text string }

func archive(t testing.TB, method uint16, files ...file) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zstd.ZipMethodWinZip, zstd.ZipCompressor())
	for _, f := range files {
		m, err := w.CreateHeader(&zip.FileHeader{Name: f.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(m, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// locked is an archive with a password: its flag, and bytes that nobody can read.
func locked(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	m, err := w.CreateRaw(&zip.FileHeader{Name: "a.csv", Flags: 1, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte("a")), CompressedSize64: 13, UncompressedSize64: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Write(make([]byte, 13)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPackedSources(t *testing.T) {
	text := "a,b\n" + strings.Repeat("1,2\n", 1000)
	many := archive(t, zip.Deflate, file{"a.csv", text}, file{"b.csv", "x"}, file{"folder/", ""})
	for name, tc := range map[string]struct{ packed, member string }{
		"gzip":                  {gzipped(t, text), ""},
		"gzip of several":       {gzipped(t, text[:10], text[10:100], "", text[100:]), ""},
		"zstd":                  {zstandard(t, text), ""},
		"zstd of several":       {zstandard(t, text[:10]) + "\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstandard(t, text[10:]), ""},
		"zstd with a preface":   {"\x5f\x2a\x4d\x18\x03\x00\x00\x00abc" + zstandard(t, text), ""},
		"zip":                   {archive(t, zip.Deflate, file{"a.csv", text}), ""},
		"zip that only holds":   {archive(t, zip.Store, file{"a.csv", text}), ""},
		"zip with zstd":         {archive(t, zstd.ZipMethodWinZip, file{"a.csv", text}), ""},
		"zip as macOS makes it": {archive(t, zip.Deflate, file{"in/", ""}, file{"in/a.csv", text}, file{"__MACOSX/in/._a.csv", "x"}), ""},
		"one of several":        {many, "a.csv"},
	} {
		path := filepath.Join(t.TempDir(), "no ending")
		writeFile(t, path, tc.packed)
		var stores Stores
		got, facts, err := sent(t, &stores, Source{Name: path, Member: tc.member}, csvFormat, Checks{})
		if err != nil || got != text || facts.Rows != 1000 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestPackedSourcesThatAreRefused(t *testing.T) {
	text := "a,b\n" + strings.Repeat("1,2\n", 1000)
	packed, z := gzipped(t, text), zstandard(t, text)
	broken := func(s string) string { return s[:len(s)-6] + "xx" + s[len(s)-4:] }
	zipped := archive(t, zip.Store, file{"a.csv", text})
	entries := make([]file, 30_000)
	for i := range entries {
		entries[i].name = fmt.Sprintf("%040d", i)
	}
	for _, tc := range []struct{ name, packed, member, says string }{
		{"cut gzip", packed[:len(packed)-9], "", "it is gzip and cut off"},
		{"cut behind the data", packed[:len(packed)-3], "", "it is gzip and cut off"},
		{"damaged gzip", broken(packed), "", "it is gzip and damaged"},
		{"gzip with something behind", packed + "more", "", "it is gzip and "},
		{"empty gzip", gzipped(t, ""), "", "what is packed in it is empty"},
		{"gzip twice", gzipped(t, packed), "", "gzip twice"},
		{"cut zstd", z[:len(z)-6], "", "it is zstd and cut off"},
		{"damaged zstd", z[:len(z)-2] + "xx", "", "it is zstd and damaged"},
		{"a large window", "\x28\xb5\x2f\xfd\x00\x80\x21\x00\x00a,b\n", "", "a window of more than 32 MB"},
		{"cut zip", zipped[:len(zipped)-20], "", "cut off, or damaged"},
		{"damaged zip", strings.Replace(zipped, "1,2\n1,2", "1,2\n1,3", 1), "", "it is zip and damaged"},
		{"no file in it", archive(t, zip.Store, file{"a/", ""}), "", "without a file"},
		{"several files", archive(t, zip.Store, file{"a.csv", text}, file{"b.csv", text}), "", "of 2 files"},
		{"no such file", zipped, "b.csv", `holds no file "b.csv"`},
		{"two of a name", archive(t, zip.Store, file{"a.csv", text}, file{"a.csv", text}), "a.csv", `two files "a.csv"`},
		{"a password", locked(t), "", "with a password"},
		{"a workbook", archive(t, zip.Store, file{"[Content_Types].xml", "x"}, file{"xl/workbook.xml", "x"}), "", "Excel workbook"},
		{"too many files", archive(t, zip.Store, entries...), "", "too many files"},
		{"a member of no archive", text, "a.csv", "it is no ZIP archive"},
		{"a PDF", "%PDF-1.4", "", "PDF"},
		{"bzip2", "BZh91AY&SYxxxx", "", "bzip2"},
	} {
		path := filepath.Join(t.TempDir(), "in.csv")
		writeFile(t, path, tc.packed)
		var stores Stores
		_, _, err := sent(t, &stores, Source{Name: path, Member: tc.member}, csvFormat, Checks{})
		if e, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// endless is one text over and over.
type endless struct {
	text string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	e.left -= int64(n)
	return n, nil
}

// What unpacks to far more than it is takes no memory, and has an end.
func TestBombs(t *testing.T) {
	size := int64(40 << 20)
	if testing.Short() {
		size = 4 << 20
	}
	pack := func(text string) string {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "a,b\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, &endless{text, size}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, text := range map[string]string{"one row": strings.Repeat("x", 1<<16), "separators": strings.Repeat(",", 1<<16), "zeros": strings.Repeat("\x00", 1<<16)} {
		path := filepath.Join(t.TempDir(), "in.csv.zst")
		writeFile(t, path, pack(text))
		f := fetched(t, path, csvFormat)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		facts, err := f.Inspect(t.Context(), Checks{Fields: 2, Sums: []string{"a"}})
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 20<<20 {
			t.Errorf("%s: %d MB were allocated", name, used>>20)
		}
		if (name == "separators") != (err == nil) {
			t.Errorf("%s: %+v, %v", name, facts.Rows, err)
		}
	}
	// One row without an end is not read to its end when it is no text.
	in := newPass(t.Context(), &endless{"\x00", 1 << 40}, csvFormat, Checks{})
	if _, err := in.run(); err == nil || in.n > 4<<20 {
		t.Errorf("%d bytes, %v", in.n, err)
	}
	u := &unpacking{ReadCloser: io.NopCloser(&endless{"x", 100}), kind: packedGzip, left: 50}
	if n, err := io.Copy(io.Discard, u); n > 50 || err == nil || !strings.Contains(err.Error(), "more than 50 GB") {
		t.Errorf("%d bytes, %v", n, err)
	}
}
