package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// part is one file of a source, as it lies here.
type part struct {
	name    string // as it may be shown
	path    string
	spooled bool
	size    int64
	time    time.Time
	pack    packing
	member  string
	from    recognised
}

const (
	unreadable, readable = "it cannot be read", "give a path that the runner's user can read"
	changing             = "it is being written: it changed while it was read"
	written              = "run this after it was written, or write to another name and rename it"
)

func (p *part) refuse(what, next string, err error) error {
	return &InputError{Path: p.name, What: what, Next: next, Err: cause(err)}
}

// stat looks at a file before it is opened: opening a pipe would wait for a writer.
func (p *part) stat() error {
	info, err := os.Stat(p.path)
	switch {
	case err != nil:
		return p.refuse(unreadable, readable, err)
	case info.IsDir():
		return p.refuse("it is a folder", "give the path of a file", nil)
	case !info.Mode().IsRegular():
		return p.refuse("it is not a regular file: it can be read only once, and is checked before it is sent",
			"write it to a file first", nil)
	case info.Size() == 0:
		return p.refuse("it is empty (0 bytes)", "find out why nothing was written; a file without rows still has its header", nil)
	}
	p.size, p.time = info.Size(), info.ModTime()
	return nil
}

// unchanged says whether the file is as it was when it was looked at.
func (p *part) unchanged() bool {
	info, err := os.Stat(p.path)
	return err == nil && info.Size() == p.size && info.ModTime().Equal(p.time)
}

// bytes reads what is in the file, unpacked. Errors are *InputError, and that of ctx.
func (p *part) bytes(ctx context.Context) (io.ReadCloser, error) {
	if !p.unchanged() {
		if _, err := os.Stat(p.path); err != nil {
			return nil, p.refuse(unreadable, readable, err)
		}
		return nil, p.refuse("it changed since it was looked at", written, nil)
	}
	f, err := os.Open(p.path)
	if err != nil {
		return nil, p.refuse(unreadable, readable, err)
	}
	r, err := unpacked(f, p.size, p.pack, p.member)
	if err != nil {
		return nil, errors.Join(p.named(err), f.Close())
	}
	return &partReader{ctx: ctx, part: p, r: r, f: f}, nil
}

// named gives an error without a path this one's.
func (p *part) named(err error) error {
	if e, ok := errors.AsType[*InputError](err); ok {
		if e.Path == "" {
			e.Path = p.name
			if p.member != "" {
				e.Path = fmt.Sprintf("%s (%s)", p.name, p.member)
			}
		}
		return e
	}
	return p.refuse(unreadable, readable, err)
}

// partReader ends with its context, and in an error when the file did not stay as it was.
type partReader struct {
	ctx  context.Context
	part *part
	r    io.ReadCloser
	f    *os.File
}

func (r *partReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.r.Read(b)
	if err == nil {
		return n, nil
	}
	if info, statErr := r.f.Stat(); statErr == nil && (info.Size() != r.part.size || !info.ModTime().Equal(r.part.time)) {
		return n, r.part.refuse(changing, written, nil)
	}
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, r.part.named(err)
}

func (r *partReader) Close() error { return errors.Join(r.r.Close(), r.f.Close()) }

// look recognises how the file is packed and written.
func (p *part) look(ctx context.Context, src Source, format Format) error {
	if err := p.stat(); err != nil {
		return err
	}
	if format.Opaque {
		return nil
	}
	f, err := os.Open(p.path)
	if err != nil {
		return p.refuse(unreadable, readable, err)
	}
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if err = errors.Join(ignoreEOF(err), f.Close()); err != nil {
		return p.refuse(unreadable, readable, err)
	}
	if p.pack = packingOf(head[:n]); p.pack == packedZip {
		p.member = src.Member
	} else if src.Member != "" {
		return p.refuse("it is no ZIP archive", "take member out", nil)
	}
	r, err := p.bytes(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	head = make([]byte, look)
	n, err = io.ReadFull(r, head)
	if err = ignoreEOF(err); err != nil {
		return err
	}
	head = head[:n]
	if n == 0 {
		return p.refuse("what is packed in it is empty (0 bytes)", "find out why nothing was written; a file without rows still has its header", nil)
	}
	if what, next := noText(head); what != "" {
		return p.refuse(what, next, nil)
	}
	wants := charsetOf(format.Encoding)
	if p.from, err = recognise(head, n < look, src.Encoding, wants); err != nil {
		return p.named(err)
	}
	if !wants.known { // nothing can be converted to it
		p.from = recognised{charset: wants}
	}
	return nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// asIs says that the bytes of the file need no conversion.
func (p *part) asIs(wants charset) bool { return p.from.same(wants) && !p.from.unsure }

// text reads the text of the file as it is, from behind skip bytes.
func (p *part) text(ctx context.Context, wants charset, skip int) (io.ReadCloser, error) {
	r, err := p.bytes(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, int64(skip)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if p.from.unsure {
		return closing{&watch{r: r, bad: &badText{p.name,
			fmt.Sprintf("holds the first letter that is not ASCII, and it is UTF-8; nothing before it says so, and Anaplan's import expects %s", wants.name),
			fmt.Sprintf(`write encoding = "UTF-8" in the source, or %q if it is that`, wants.name)}}, r}, nil
	}
	return r, nil
}

// dropped is how much of the beginning is not sent when nothing is converted: the mark of
// UTF-8, which would stand in the first column's name. That of UTF-16 stays as it was
// given.
func (p *part) dropped() int {
	if p.from.utf8() {
		return p.from.mark
	}
	return 0
}

// utf8 reads the text of the file as UTF-8, checked and without a mark.
func (p *part) utf8(ctx context.Context, wants charset) (io.ReadCloser, error) {
	r, err := p.text(ctx, wants, p.from.mark)
	if err != nil {
		return nil, err
	}
	next := fmt.Sprintf(`write encoding = "windows-1252", or what it is, in the source; %q is what was taken for it`, p.from.name)
	return closing{decoding(r, p.from.charset, &badText{p.name, "is not " + p.from.name, next}), r}, nil
}

// closing is a reader with something to close.
type closing struct {
	io.Reader
	io.Closer
}
