package data

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

func in16(t testing.TB, text string, order unicode.Endianness, mark string) string {
	t.Helper()
	s, err := unicode.UTF16(order, unicode.IgnoreBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return mark + s
}

const letters = "Straße,Preis\nMünchen,5\nØrsted,6\n"

var long = strings.Repeat("plain,1\n", look/8+10)

func TestEncodings(t *testing.T) {
	le := func(s string) string { return in16(t, s, unicode.LittleEndian, "") }
	latin := strings.NewReplacer("ß", "\xdf", "ü", "\xfc", "Ø", "\xd8").Replace(letters)
	for _, tc := range []struct{ name, text, said, wants, sent string }{
		{"UTF-8", letters, "", "UTF-8", letters},
		{"UTF-8 with a mark", "\ufeff" + letters, "", "", letters},
		{"said, with a mark", "\ufeff" + letters, "utf-8", "UTF-8", letters},
		{"UTF-16LE with a mark", in16(t, letters, unicode.LittleEndian, "\xff\xfe"), "auto", "UTF-8", letters},
		{"UTF-16BE with a mark", in16(t, letters, unicode.BigEndian, "\xfe\xff"), "", "UTF-8", letters},
		{"UTF-16LE without", le(letters), "", "UTF-8", letters},
		{"UTF-16BE without", in16(t, letters, unicode.BigEndian, ""), "", "UTF-8", letters},
		{"UTF-16 said", in16(t, letters, unicode.BigEndian, "\xfe\xff"), "UTF-16", "UTF-8", letters},
		{"UTF-16 said without a mark", le(letters), "utf-16", "UTF-8", letters},
		{"windows-1252 said", strings.ReplaceAll(latin, "5", "\x80 5"), "windows-1252", "UTF-8", strings.ReplaceAll(letters, "5", "€ 5")},
		{"as people say it", strings.ReplaceAll(latin, "5", "\x80 5"), "CP1252", "UTF-8", strings.ReplaceAll(letters, "5", "€ 5")},
		{"Latin-1 said", latin, "latin1", "UTF-8", letters},
		{"Latin-1 wanted", latin, "", "ISO-8859-1", latin},
		{"UTF-8 for Latin-1", letters, "", "ISO-8859-1", latin},
		{"a mark for Latin-1", "\ufeff" + letters, "", "ISO-8859-1", latin},
		{"ASCII for Latin-1", "a,b\n1,2\n", "", "ISO-8859-1", "a,b\n1,2\n"},
		{"UTF-16LE wanted", le(letters), "", "UTF-16LE", le(letters)},
		{"its mark stays", in16(t, letters, unicode.LittleEndian, "\xff\xfe"), "", "UTF-16LE", in16(t, letters, unicode.LittleEndian, "\xff\xfe")},
		{"UTF-8 for UTF-16LE", letters, "", "UTF-16LE", le(letters)},
		{"ASCII for UTF-16LE", "a,b\n1,2\n", "", "UTF-16LE", le("a,b\n1,2\n")},
		{"UTF-16BE for UTF-16LE", in16(t, letters, unicode.BigEndian, "\xfe\xff"), "", "UTF-16LE", le(letters)},
		{"Japanese said", "\x93\xfa\x96{,1\n\x93\xfa,2\n", "Shift_JIS", "UTF-8", "日本,1\n日,2\n"},
		{"Chinese in UTF-16LE", le("中文,中文\r\n国,国\r\n"), "", "UTF-8", "中文,中文\r\n国,国\r\n"},
		{"what is not known is sent as it is", "a,b\nOrl\xe9ans,1\n", "", "X-Own", "a,b\nOrl\xe9ans,1\n"},
		{"ASCII said", "a,b\n1,2\n", "US-ASCII", "UTF-8", "a,b\n1,2\n"},
		{"letters late", long + letters, "", "UTF-8", long + letters},
		{"letters late in Latin-1", long + latin, "", "ISO-8859-1", long + latin},
		{"letters late, said", long + letters, "UTF-8", "ISO-8859-1", long + latin},
	} {
		path := filepath.Join(t.TempDir(), "in.csv")
		writeFile(t, path, tc.text)
		var stores Stores
		format := Format{Encoding: tc.wants, Separator: ",", Delimiter: `"`, HeaderRow: 1, FirstRow: 2}
		got, facts, err := sent(t, &stores, Source{Name: path, Encoding: tc.said}, format, Checks{})
		if err != nil || got != tc.sent || len(facts.Header) != 2 || facts.Rows == 0 {
			t.Errorf("%s: %.60q, %+v, %v", tc.name, got, facts.Rows, err)
		}
	}
}

// Text that is not what was said or recognised ends before anything is sent, with the
// row and what to write, and without a value.
func TestEncodingsThatAreRefused(t *testing.T) {
	const odd = "Name,b\nHemlig\xe9,1\n"
	for _, tc := range []struct{ name, text, said, wants, says, next string }{
		{"Latin-1 for UTF-8", odd, "", "UTF-8", "row 2 is not UTF-8", `encoding = "windows-1252"`},
		{"Latin-1, UTF-8 said", odd, "UTF-8", "UTF-8", "row 2 is not UTF-8", ""},
		{"Latin-1, UTF-8 said, for Latin-1", odd, "UTF-8", "ISO-8859-1", "row 2 is not UTF-8", ""},
		{"late", long + odd, "", "UTF-8", "is not UTF-8", ""},
		{"UTF-8 late, for Latin-1", long + "Hemligé,1\n", "", "ISO-8859-1", "the first letter that is not ASCII, and it is UTF-8", `encoding = "UTF-8"`},
		{"Latin-1 for UTF-16", odd, "", "UTF-16LE", "its encoding is not recognised", ""},
		{"a letter that Latin-1 lacks", "Name,b\nx,1\nHemligé €,1\n", "", "ISO-8859-1", "row 3 holds a letter that ISO-8859-1 lacks", "UTF-8"},
		{"a letter that ASCII lacks", "Name,b\nHemligé,1\n", "UTF-8", "US-ASCII", "row 2 holds a letter that US-ASCII lacks", ""},
		{"no letter of windows-1252", "Name,b\nHemlig\x81,1\n", "windows-1252", "UTF-8", "row 2 is not windows-1252", ""},
		{"no letter of Shift_JIS", "Name,b\nHemlig\x81 ,1\n", "Shift_JIS", "UTF-8", "row 2 is not Shift_JIS", ""},
		{"more than ASCII", odd, "US-ASCII", "UTF-8", "row 2 is not US-ASCII", ""},
		{"half of UTF-16", in16(t, "Name,b\nHemlig,1\n", unicode.LittleEndian, "") + "\x00\xd8a\x00", "", "UTF-8", "row 3 is not UTF-16LE", ""},
		{"half of UTF-16, wanted", in16(t, "Name,b\nHemlig,1\n", unicode.LittleEndian, "") + "\x00\xd8a\x00", "", "UTF-16LE", "row 3 is not UTF-16LE", ""},
		{"another mark than said", "\ufeffName,b\n", "windows-1252", "UTF-8", "mark of UTF-8, the job says windows-1252", "UTF-8"},
		{"UTF-32", "\xff\xfe\x00\x00N\x00\x00\x00", "", "UTF-8", "UTF-32LE", ""},
		{"no such encoding", "Name,b\n", "klingon", "UTF-8", `encoding "klingon" is not known`, ""},
	} {
		path := filepath.Join(t.TempDir(), "in.csv")
		writeFile(t, path, tc.text)
		var stores Stores
		format := Format{Encoding: tc.wants, Separator: ",", Delimiter: `"`, HeaderRow: 1, FirstRow: 2}
		_, _, err := sent(t, &stores, Source{Name: path, Encoding: tc.said}, format, Checks{})
		e, ok := errors.AsType[*InputError](err)
		if !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" || !strings.Contains(e.Next, tc.next) || strings.Contains(err.Error()+e.Next, "Hemlig") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// What a decoder could not read is found however the text comes, and nothing else is.
func TestReplacementsAreFound(t *testing.T) {
	for text, want := range map[string]string{"ab\ufffdc": "ab", "\ufffd": "", "a\uff01\uffe5b": "a\uff01\uffe5b", "a\ufffb\ufffd": "a\ufffb", "a\xef\xbf": "a\xef\xbf"} {
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.HalfReader(strings.NewReader(text))} {
			got, err := io.ReadAll(transform.NewReader(r, noReplacement{}))
			if string(got) != want || errors.Is(err, errNoLetter) != strings.Contains(text, "\ufffd") {
				t.Errorf("%q: %q, %v", text, got, err)
			}
		}
	}
}

func TestWrongSeparators(t *testing.T) {
	for _, tc := range []struct{ name, text, separator, says string }{
		{"semicolons for commas", "a;b\n1;2\n", ",", "separated by semicolons, Anaplan's import expects commas"},
		{"commas for tabs", "a,b\n1,\"x\ty\"\n", "\t", ""},
		{"commas for tabs, clearly", "a,b\n1,\"x,y\"\n", "\t", "separated by commas, Anaplan's import expects tabs"},
		{"only a header", "a;b;c\n", ",", "semicolons"},
		{"a lone word and sign", "a;b\n", ",", ""},
		{"one column", "a\n1;2\n", ",", ""},
		{"as it should be", "a,b;c\n1,2;3\n", ",", ""},
		{"decimals", "a;b\n1,5;2\n", ",", ""}, // not clear
		{"bars", "a|b\n\n1|2\n", ";", "bars (|)"},
		{"no separator is wanted", "a;b\n1;2\n", "", ""},
		{"later rows differ", "a;b\n1;2\n3;4;5\n", ",", ""},
	} {
		format := csvFormat
		format.Separator = tc.separator
		_, err := inspect(t.Context(), write(t, tc.text), format)
		if e, ok := errors.AsType[*InputError](err); ok != (tc.says != "") || ok && (!strings.Contains(err.Error(), tc.says) || e.Next == "") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
