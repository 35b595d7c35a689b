package keystore

import (
	"bytes"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cryptoasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Firefox and other programs with NSS write PKCS#12 in BER: lengths that are not told
// before, and strings in segments. [encoding/asn1] reads DER alone.

const (
	// berDepth is how deep values may lie in one another. Stores need 10.
	berDepth = 32
	// berValues is how many values there may be. A certificate's are inside a string, and not counted.
	berValues = 100_000

	berConstructed = 0x20
	berContext0    = 0x80 // [0]
	berUnknown     = -1   // a length
)

// derOf rewrites the value that b begins with, in BER or DER, as the same in DER, as far as
// PKCS#12 needs that: lengths are definite and short, octet strings in one piece. What is
// in strings stays as it is, and so does the order of sets. The error is errNotASN1.
func derOf(b []byte) (der, rest []byte, err error) {
	r := berReader{rest: b, left: berValues}
	v, err := r.value(berDepth)
	if err != nil {
		return nil, nil, err
	}
	var whole cryptobyte.Builder
	v.add(&whole)
	if der, err = whole.Bytes(); err != nil {
		return nil, nil, errNotASN1
	}
	return der, r.rest, nil
}

// berValue is a value: content, or parts if it is constructed.
type berValue struct {
	tag         byte // with its class, without berConstructed
	constructed bool
	content     []byte
	parts       []berValue
}

// add writes the value in DER.
func (v berValue) add(to *cryptobyte.Builder) {
	tag := v.tag
	if v.constructed {
		tag |= berConstructed
	}
	to.AddASN1(cryptoasn1.Tag(tag), func(inside *cryptobyte.Builder) {
		inside.AddBytes(v.content)
		for _, p := range v.parts {
			p.add(inside)
		}
	})
}

// join makes one string of segments.
func (v *berValue) join() error {
	var whole []byte
	for _, p := range v.parts {
		if p.tag != asn1.TagOctetString || p.constructed {
			return errNotASN1
		}
		whole = append(whole, p.content...)
	}
	*v = berValue{tag: v.tag, content: whole}
	return nil
}

// berReader reads values one after another.
type berReader struct {
	rest []byte
	left int // values
}

func (r *berReader) byte() (b byte, err error) {
	if len(r.rest) == 0 {
		return 0, errNotASN1
	}
	b, r.rest = r.rest[0], r.rest[1:]
	return b, nil
}

// length reads how many bytes follow, which are there, or berUnknown.
func (r *berReader) length() (n int, err error) {
	first, err := r.byte()
	switch {
	case err != nil:
		return 0, err
	case first == 0x80:
		return berUnknown, nil
	case first < 0x80:
		n = int(first)
	default:
		for range first & 0x7f {
			b, err := r.byte()
			if err != nil || n > len(r.rest) {
				return 0, errNotASN1
			}
			n = n<<8 | int(b)
		}
	}
	if n > len(r.rest) {
		return 0, errNotASN1
	}
	return n, nil
}

// value reads one value, whose tag has one byte: there are no others in PKCS#12.
func (r *berReader) value(depth int) (v berValue, err error) {
	first, err := r.byte()
	if err != nil || first&^berConstructed == 0 || first&0x1f == 0x1f || depth == 0 || r.left == 0 {
		return v, errNotASN1
	}
	r.left--
	v.tag, v.constructed = first&^berConstructed, first&berConstructed != 0
	n, err := r.length()
	switch {
	case err != nil:
		return v, err
	case v.constructed:
		err = r.parts(&v, n, depth-1)
		return v, err
	case n == berUnknown:
		return v, errNotASN1
	}
	v.content, r.rest = r.rest[:n], r.rest[n:]
	return v, nil
}

// parts reads what is in a value that is constructed, of n bytes or up to a mark.
func (r *berReader) parts(v *berValue, n, depth int) error {
	var behind []byte
	if n != berUnknown {
		r.rest, behind = r.rest[:n], r.rest[n:]
	}
	for n == berUnknown || len(r.rest) > 0 {
		if n == berUnknown && bytes.HasPrefix(r.rest, []byte{0, 0}) {
			behind = r.rest[2:]
			break
		}
		p, err := r.value(depth)
		if err != nil {
			return err
		}
		v.parts = append(v.parts, p)
	}
	r.rest = behind
	if v.tag == asn1.TagOctetString {
		return v.join()
	}
	// Encrypted content is an octet string whose tag is replaced by [0]: when it is in
	// segments, its place alone tells it from a [0] around a string.
	if p := v.parts; v.tag == asn1.TagSequence && len(p) > 2 && p[0].tag == asn1.TagOID && p[1].tag == asn1.TagSequence &&
		p[2].tag == berContext0 && p[2].constructed {
		return p[2].join()
	}
	return nil
}
