package data

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// charset is an encoding of text.
type charset struct {
	name  string            // as it was written; "UTF-8" for none
	enc   encoding.Encoding // nil: UTF-8, or not known
	known bool
	ascii bool // its bytes below 128 are those of ASCII
}

const utf8Name = "UTF-8"

// charsetOf finds an encoding by its name, as IANA or a browser knows it.
func charsetOf(name string) charset {
	upper := strings.ToUpper(name)
	switch upper {
	case "", "UTF-8", "UTF8":
		return charset{name: utf8Name, known: true, ascii: true}
	case "US-ASCII", "ASCII":
		return charset{name: name, enc: sevenBits{}, known: true, ascii: true}
	case "UTF-16LE":
		return charset{name: upper, enc: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), known: true}
	case "UTF-16BE":
		return charset{name: upper, enc: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), known: true}
	case "UTF-16":
		return charset{name: upper, enc: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), known: true}
	}
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil {
		if enc, err = htmlindex.Get(name); err != nil {
			return charset{name: name, ascii: true}
		}
	}
	const letters = "Az09,;\t|\"'\r\n"
	got, err := enc.NewDecoder().String(letters)
	return charset{name: name, enc: enc, known: true, ascii: err == nil && got == letters}
}

func (c charset) utf8() bool  { return c.known && c.enc == nil }
func (c charset) utf16() bool { return strings.HasPrefix(c.name, "UTF-16") }

// same says whether text in one is text in the other as it is.
func (c charset) same(d charset) bool {
	return strings.EqualFold(c.name, d.name) || c.known && d.known && c.enc == d.enc
}

// sevenBits is ASCII, and nothing else.
type sevenBits struct{}

func (sevenBits) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: sevenBitsOnly{}}
}

func (sevenBits) NewEncoder() *encoding.Encoder {
	return &encoding.Encoder{Transformer: sevenBitsOnly{}}
}

type sevenBitsOnly struct{ transform.NopResetter }

func (sevenBitsOnly) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if src[nSrc] >= 0x80 {
			return nDst, nSrc, errNoLetter
		}
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		dst[nDst] = src[nSrc]
		nDst, nSrc = nDst+1, nSrc+1
	}
	return nDst, nSrc, nil
}

var errNoLetter = fmt.Errorf("no letter of this encoding")

// noReplacement passes text on until a decoder has put U+FFFD in the place of what it
// could not read.
type noReplacement struct{ transform.NopResetter }

var replacement = []byte("\uFFFD")

func (noReplacement) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	end, after := len(src), error(nil)
	if i := bytes.Index(src, replacement); i >= 0 {
		end, after = i, errNoLetter
	} else if !atEOF {
		for n := min(2, len(src)); n > 0; n-- {
			if bytes.Equal(src[len(src)-n:], replacement[:n]) {
				end, after = len(src)-n, transform.ErrShortSrc
				break
			}
		}
	}
	n := copy(dst, src[:end])
	if n < end {
		return n, n, transform.ErrShortDst
	}
	return n, n, after
}
