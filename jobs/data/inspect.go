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

// Inspect reads the bytes that are sent once, in bounded memory. Errors are
// *InputError, *GuardError (what the checks refuse on the way), and that of ctx.
func (f *File) Inspect(ctx context.Context, checks Checks) (Facts, error) {
	if _, ok := f.Plain(); ok && f.parts[0].unchanged() && f.parts[0].size < checks.MinSize {
		return Facts{}, tooSmall(f.parts[0].size, checks.MinSize)
	}
	r, err := f.open(ctx)
	if err != nil {
		return Facts{}, err
	}
	defer r.Close()
	in := newPass(ctx, r, f.format, checks)
	facts, err := in.run()
	switch {
	case ctx.Err() != nil:
		return Facts{}, context.Cause(ctx)
	case err != nil:
		if e, ok := errors.AsType[*InputError](err); ok && e.Path == "" {
			e.Path = f.name()
		}
		return Facts{}, err
	}
	facts.Modified = f.modified()
	return facts, nil
}

// pass reads a text once.
type pass struct {
	counting
	format   Format
	checks   Checks
	download bool // it comes from Anaplan: wrong letters are a warning
}

func newPass(ctx context.Context, r io.Reader, format Format, checks Checks) *pass {
	return &pass{counting: counting{ctx: ctx, r: r, digest: xxh3.New()}, format: format, checks: checks}
}

// run reads to the end. *InputError have no path.
func (p *pass) run() (Facts, error) {
	facts, err := p.read()
	if _, odd := errors.AsType[*InputError](err); odd && p.checks.Loose && p.err == nil {
		facts = Facts{Opaque: true}
		_, err = io.Copy(io.Discard, &p.counting)
	}
	if err == nil && p.n == 0 {
		err = &InputError{What: "it is empty (0 bytes)", Next: "find out why nothing was written"}
	}
	if err != nil {
		return Facts{}, err
	}
	sum := p.digest.Sum128().Bytes()
	facts.Bytes, facts.Digest = p.n, fmt.Sprintf("%x", sum[:])
	return facts, nil
}

func (p *pass) read() (Facts, error) {
	begin := bufio.NewReaderSize(&p.counting, 1<<20)
	if p.format.Opaque {
		_, err := io.Copy(io.Discard, begin)
		return Facts{Opaque: true}, err
	}
	head, _ := begin.Peek(512) // an error comes again when it is read
	if what, next := noText(head); what != "" {
		return Facts{}, &InputError{What: what, Next: next}
	}
	records := scanner{format: p.format, header: make([]byte, 0, 256), utf8: charsetOf(p.format.Encoding).utf8()}
	if p.checks.Fields > 0 || len(p.checks.Sums) > 0 {
		records.columns = &columns{wanted: p.checks.Fields, sums: p.checks.Sums, totals: make([]total, len(p.checks.Sums))}
	}
	records.begun = func(s sample) error {
		if !p.download {
			if err := p.format.linesOfCR(s); err != nil {
				return err
			}
		}
		var refused error
		if p.checks.Header != nil {
			if refused = p.checks.Header(records.names()); refused == nil {
				return nil // it is the one that is wanted, whatever stands in its only column
			}
		}
		if !p.download {
			if err := p.format.mismatch(s.records); err != nil {
				return err
			}
		}
		return refused
	}
	records.each = func() error { return p.row(&records) }
	if err := records.scan(p.decoded(begin)); err != nil {
		if bad, ok := errors.AsType[*badText](err); ok {
			err = &InputError{Path: bad.name, What: fmt.Sprintf("row %d %s", records.row, bad.what), Next: bad.next}
		}
		return Facts{}, err
	}
	if records.open() {
		what, next, _ := records.unclosed()
		return Facts{}, &InputError{What: what, Next: next}
	}
	facts := Facts{Rows: records.rows, Header: records.names()}
	if records.invalid > 0 {
		facts.Warning = fmt.Sprintf("row %d is not UTF-8, as its format says", records.invalid)
	}
	if c := records.columns; c != nil {
		facts.Odd, facts.Sums = c.odd, c.found()
	}
	return facts, nil
}

// row stops at a row that is no text.
func (p *pass) row(s *scanner) error {
	if s.nul > 0 { // what a writer leaves that died, or a file system that lost the end
		return &InputError{What: fmt.Sprintf("row %d holds NUL bytes: it is not text, or only half written", s.nul),
			Next: "write the file again, whole"}
	}
	if s.invalid > 0 && !p.download {
		return &InputError{What: fmt.Sprintf("row %d is not UTF-8, which Anaplan's import expects", s.invalid),
			Next: `write encoding = "windows-1252", or what it is, in the source: it is converted then`}
	}
	return nil
}

// decoded gives UTF-8 of what is in the format's encoding. What is not known is read as
// it is.
func (p *pass) decoded(r *bufio.Reader) *bufio.Reader {
	c := charsetOf(p.format.Encoding)
	head, _ := r.Peek(3)
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) && c.known && charsetOf(m.name).same(c) {
			_, _ = r.Discard(len(m.mark))
		}
	}
	if c.enc == nil {
		return r
	}
	if p.download {
		return bufio.NewReaderSize(c.enc.NewDecoder().Reader(r), 1<<16)
	}
	return bufio.NewReaderSize(decoding(r, c, &badText{
		what: fmt.Sprintf("is not %s, which Anaplan's import expects", c.name), next: "write what it is as encoding in the source: it is converted then"}), 1<<16)
}

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
	err    error // of r, but for its end
}

func (c *counting) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		c.err = err
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	_, _ = c.digest.Write(p[:n]) // never fails
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
