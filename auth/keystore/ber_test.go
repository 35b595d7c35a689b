package keystore

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inBER writes a PKCS#12 file as other programs could: every length unknown where it may be,
// every octet string in segments, lengths longer than they have to be.
func inBER(t testing.TB, der []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			t.Fatal(err)
		}
		first := v.FullBytes[0]
		switch {
		case v.IsCompound:
			out = append(append(out, first, 0x80), inBER(t, v.Bytes)...)
			out = append(out, 0, 0)
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString || v.Class == asn1.ClassContextSpecific && v.Tag == 0:
			out = append(out, first|berConstructed, 0x80)
			for content := v.Bytes; len(content) > 0; {
				n := min(len(content), 100)
				out = append(append(out, asn1.TagOctetString, 0x83, 0, 0, byte(n)), content[:n]...)
				content = content[n:]
			}
			out = append(out, 0, 0)
		default:
			out = append(out, v.FullBytes...)
		}
		der = rest
	}
	return out
}

// TestBER: a store in BER holds what it holds in DER, which stays as it is.
func TestBER(t *testing.T) {
	names, err := filepath.Glob(inStores + "*.p12")
	if err != nil || len(names) < 15 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data := read(t, strings.TrimPrefix(name, "testdata/"))
		der, rest, err := derOf(data)
		if err != nil || len(rest) > 0 {
			t.Fatalf("%s: %v, %d bytes are left", name, err, len(rest))
		}
		if inDER := !strings.Contains(name, "firefox"); bytes.Equal(der, data) != inDER {
			t.Errorf("%s: is it in DER? %v", name, !inDER)
		}
		again, rest, err := derOf(append(inBER(t, der), "more"...))
		if err != nil || string(rest) != "more" {
			t.Fatalf("%s: %v, %q is left", name, err, rest)
		}
		if diff := cmp.Diff(der, again); diff != "" {
			t.Errorf("%s (-DER +from BER):\n%s", name, diff)
		}
	}
	// By way of the store, from which nothing but the password is kept back.
	changeit := gives("changeit")
	for _, name := range []string{"modern.p12", "legacy.p12", "no-mac.p12", "several.p12"} {
		files := Files{CertificatePath: "s.p12", Certificate: inBER(t, read(t, "stores/"+name)), Passphrase: changeit}
		if name == "several.p12" {
			files.Alias = "prod"
		}
		id, err := files.Load()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !keyOf(t, "user").Equal(id.Signer) {
			t.Errorf("%s: another key", name)
		}
		files.Passphrase = gives("wrong")
		if _, err := files.Load(); !errors.Is(err, WrongPassphrase) {
			t.Errorf("%s: %v, want %v", name, err, WrongPassphrase)
		}
	}
}

func TestNotBER(t *testing.T) {
	deep := bytes.Repeat([]byte{0x30, 0x80}, berDepth+1)
	many := append(append([]byte{0x30, 0x80}, bytes.Repeat([]byte{5, 0}, berValues)...), 0, 0)
	for name, b := range map[string]string{
		"nothing":                           "",
		"a tag alone":                       "\x30",
		"a length cut off":                  "\x30\x82\x01",
		"more than there is":                "\x04\x03ab",
		"4 GB":                              "\x04\x84\xff\xff\xff\xffab",
		"a length of 127 bytes":             "\x04\xff" + strings.Repeat("\x01", 127),
		"an end without a beginning":        "\x00\x00",
		"an end that is missing":            "\x30\x80\x05\x00",
		"an end in a value of known length": "\x30\x02\x00\x00",
		"a number of unknown length":        "\x02\x80\x01\x00\x00",
		"a tag of several bytes":            "\x3f\x81\x01\x00",
		"a string of numbers":               "\x24\x03\x02\x01\x01",
		"a part that goes beyond":           "\x30\x03\x04\x02a",
		"encrypted content of numbers":      "\x30\x0b\x06\x01\x2a\x30\x00\xa0\x80\x02\x01\x01\x00\x00",
		"too deep":                          string(deep) + strings.Repeat("\x00\x00", berDepth+1),
		"too many":                          string(many),
	} {
		if der, _, err := derOf([]byte(b)); !errors.Is(err, errNotASN1) {
			t.Errorf("%s: got %x, %v", name, der, err)
		}
	}
}

func FuzzBER(f *testing.F) {
	entries, err := os.ReadDir(inStores)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".p12") {
			f.Add(read(f, filepath.Join("stores", e.Name())))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		der, rest, err := derOf(b)
		if err != nil {
			return
		}
		if len(der) > 2*len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(der))
		}
		var v asn1.RawValue
		if left, err := asn1.Unmarshal(der, &v); err != nil || len(left) > 0 {
			t.Fatalf("%x is not DER: %v", der, err)
		}
		again, left, err := derOf(append(der, rest...))
		if err != nil || !bytes.Equal(again, der) || !bytes.Equal(left, rest) {
			t.Fatalf("%x became %x, %v", der, again, err)
		}
	})
}
