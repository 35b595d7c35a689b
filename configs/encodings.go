package configs

import (
	"fmt"
	"slices"
	"strings"
)

// encodings are those of texts that a source may be in, besides "auto": names of the IANA
// list, which golang.org/x/text knows.
var encodings = []string{
	"utf-8", "utf-16", "utf-16le", "utf-16be",
	"windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258",
	"iso-8859-1", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-10",
	"iso-8859-13", "iso-8859-14", "iso-8859-15", "ibm850", "macintosh",
}

// otherEncodings are names that people know better.
var otherEncodings = map[string]string{
	"ansi": "windows-1252", "latin1": "iso-8859-1", "latin-1": "iso-8859-1", "latin9": "iso-8859-15", "ascii": "utf-8", "us-ascii": "utf-8",
	"utf8": "utf-8", "utf-8-sig": "utf-8", "utf16": "utf-16", "ucs-2": "utf-16", "unicode": "utf-16", "dos": "ibm850", "mac": "macintosh", "macroman": "macintosh",
}

// readEncoding returns the name of an encoding as the list has it, empty for "auto".
func readEncoding(v string) (string, *fault) {
	low := strings.ToLower(v)
	switch {
	case low == "auto":
		return "", nil
	case low == "cp850":
		return "ibm850", nil
	case slices.Contains(encodings, low):
		return low, nil
	}
	f := &fault{fmt.Sprintf("there is no encoding %q", v), `write "auto", or one of utf-8, utf-16, utf-16le, utf-16be, windows-1250 to windows-1258, iso-8859-1 to iso-8859-10, iso-8859-13 to iso-8859-15, ibm850, macintosh`}
	page := "windows-" + strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(low, "windows"), "cp"), "-_ ")
	switch {
	case otherEncodings[low] != "":
		f.instead = fmt.Sprintf("write %q", otherEncodings[low])
	case slices.Contains(encodings, page):
		f.instead = fmt.Sprintf("write %q", page)
	case Nearest(low, encodings) != "" && !strings.ContainsAny(low, "0123456789"):
		f.instead = fmt.Sprintf("did you mean %q?", Nearest(low, encodings))
	}
	return "", f
}
