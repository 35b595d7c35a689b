package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// DirName makes a folder name of a run that is safe on every file system: different
// runs get different names, also where the case of letters does not count. A part of
// the names stays readable.
func DirName(id ID) string {
	sum := sha256.Sum256([]byte(id.Job + "\x00" + id.Run))
	return readable(id.Job) + "_" + readable(id.Run) + "_" + hex.EncodeToString(sum[:6])
}

func readable(s string) string {
	const most = 40
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '-'
	}, s)
	s = strings.Trim(s[:min(len(s), most)], "-")
	if s == "" {
		return "x"
	}
	return s
}
