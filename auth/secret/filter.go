package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// Shorter ones are found in too many texts that do not mean them.
	leastSecret = 6
	// A line of a key, or another text of several lines.
	leastLine = 16
	// A larger value is known by its lines alone, as they are.
	mostWhole = 8 << 10
)

// A Filter knows secrets, and takes them out of texts: the last guard behind a type that does not print, for what servers,
// libraries and mistakes put into a text. It finds a secret as it is, in base64 wherever it stands in what was encoded, in hex,
// and escaped for URLs, JSON, Go and HTML; a secret of several lines by each of them that has 16 characters. Secrets of fewer
// than 6 characters are not looked for. The zero Filter knows none, and nil
// knows none for ever; it is safe for use by several goroutines.
type Filter struct {
	mu      sync.RWMutex
	known   map[string]bool // what was added
	allowed map[string]bool
	index   map[[2]byte][]string
	first   [256]bool
	pairs   []bool // by the first two bytes; nil: none
	widest  int
}

// Add makes a secret known. An empty one is nothing.
func (f *Filter) Add(v Value) {
	raw := v.RevealString()
	if f == nil || len(raw) < leastSecret {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known[raw] || f.allowed[raw] {
		return
	}
	if f.known == nil {
		f.known, f.index, f.pairs = map[string]bool{}, map[[2]byte][]string{}, make([]bool, 1<<16)
	}
	f.known[raw] = true
	for _, form := range forms(raw) {
		f.learn(form)
	}
}

// Allow makes a secret one that may be shown, since it is what was asked for. It cannot be added again.
func (f *Filter) Allow(v Value) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	raw := v.RevealString()
	if f.allowed == nil {
		f.allowed = map[string]bool{}
	}
	f.allowed[raw] = true
	if !f.known[raw] {
		return
	}
	delete(f.known, raw)
	f.index, f.first, f.pairs, f.widest = map[[2]byte][]string{}, [256]bool{}, make([]bool, 1<<16), 0
	for other := range f.known {
		for _, form := range forms(other) {
			if form != raw {
				f.learn(form)
			}
		}
	}
}

func (f *Filter) learn(form string) {
	at := [2]byte{form[0], form[1]}
	if slices.Contains(f.index[at], form) {
		return
	}
	f.index[at] = append(f.index[at], form)
	slices.SortFunc(f.index[at], func(a, b string) int { return len(b) - len(a) }) // the longest wins
	f.first[form[0]], f.pairs[int(form[0])<<8|int(form[1])] = true, true
	f.widest = max(f.widest, len(form))
}

// forms are the texts by which a secret is found. None holds the end of a line.
func forms(raw string) []string {
	var all []string
	add := func(s string, least int) {
		if len(s) >= least && !strings.ContainsAny(s, "\r\n") {
			all = append(all, s)
		}
	}
	if strings.ContainsAny(raw, "\r\n") {
		for _, line := range strings.FieldsFunc(raw, func(c rune) bool { return c == '\n' || c == '\r' }) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
				add(line, leastLine)
			}
		}
	}
	if len(raw) > mostWhole {
		add(raw, leastLine) // a key store in base64 is one line
		return all
	}
	add(raw, leastSecret)
	for _, text := range []string{url.QueryEscape(raw), url.PathEscape(raw), url.UserPassword("", raw).String()[1:], inner(strconv.Quote(raw)),
		html.EscapeString(raw), hex.EncodeToString([]byte(raw)), strings.ToUpper(hex.EncodeToString([]byte(raw)))} {
		add(text, leastSecret)
	}
	if utf8.ValidString(raw) {
		var b bytes.Buffer
		for _, escape := range []bool{true, false} {
			b.Reset()
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(escape)
			if enc.Encode(raw) == nil {
				add(inner(strings.TrimSuffix(b.String(), "\n")), leastSecret)
			}
		}
	}
	for _, code := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			add(inside(code, raw, before), 8)
		}
	}
	return all
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// inside is what a secret makes of a text in base64 that has it behind so many bytes, less the characters at both ends that
// depend on its neighbours.
func inside(code *base64.Encoding, raw string, before int) string {
	text := code.EncodeToString(append(make([]byte, before), raw...))
	from := []int{0, 2, 3}[before]
	to := (before + len(raw)) * 8 / 6
	if to <= from {
		return ""
	}
	return text[from:to]
}

// match is the secret that stands at the beginning of a text, "" if none.
func (f *Filter) match(s string) string {
	if len(s) < leastSecret || !f.first[s[0]] || !f.pairs[int(s[0])<<8|int(s[1])] {
		return ""
	}
	for _, form := range f.index[[2]byte{s[0], s[1]}] {
		if strings.HasPrefix(s, form) {
			return form
		}
	}
	return ""
}

// Text is s with "[redacted]" for each secret in it.
func (f *Filter) Text(s string) string {
	if f == nil {
		return s
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	clean, rest := f.split(s)
	return clean + rest
}

// split replaces what it finds. rest is what follows the last secret.
func (f *Filter) split(s string) (clean, rest string) {
	if f.pairs == nil {
		return "", s
	}
	var b strings.Builder
	from := 0
	for i := 0; i < len(s); {
		if !f.first[s[i]] {
			i++
			continue
		}
		m := f.match(s[i:])
		if m == "" {
			i++
			continue
		}
		b.WriteString(s[from:i])
		b.WriteString(redacted)
		i += len(m)
		from = i
	}
	return b.String(), s[from:]
}

// begun is where in s, which holds no whole secret, one begins that may go on; len(s) if none does.
func (f *Filter) begun(s string) int {
	for i := max(0, len(s)-f.widest+1); i < len(s); i++ {
		if !f.first[s[i]] {
			continue
		}
		if i == len(s)-1 {
			return i
		}
		for _, form := range f.index[[2]byte{s[i], s[i+1]}] {
			if strings.HasPrefix(form, s[i:]) {
				return i
			}
		}
	}
	return len(s)
}

// A FilterWriter takes secrets out of what is written through it. It is safe for use by several goroutines.
type FilterWriter struct {
	f  *Filter
	w  io.Writer
	mu sync.Mutex
	// held is the beginning of what may become a secret with the next write.
	held string
}

// Writer returns a writer that takes secrets out, also those that come in several writes. What may be the beginning of one is held
// until the next write or Flush; the end of a line is never held.
func (f *Filter) Writer(w io.Writer) *FilterWriter {
	if f == nil {
		f = &Filter{}
	}
	return &FilterWriter{f: f, w: w}
}

// Write implements [io.Writer]. All of p counts as written, unless the writer below fails.
func (w *FilterWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.f.mu.RLock()
	if w.f.pairs == nil && w.held == "" {
		w.f.mu.RUnlock()
		return w.w.Write(p)
	}
	clean, rest := w.f.split(w.held + string(p))
	at := len(rest)
	if !strings.HasSuffix(rest, "\n") && w.f.pairs != nil {
		at = w.f.begun(rest)
	}
	w.f.mu.RUnlock()
	w.held = rest[at:]
	if clean += rest[:at]; clean == "" {
		return len(p), nil
	}
	if _, err := io.WriteString(w.w, clean); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is held.
func (w *FilterWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == "" {
		return nil
	}
	held := w.held
	w.held = ""
	_, err := io.WriteString(w.w, held)
	return err
}

// Unwrap returns the writer below.
func (w *FilterWriter) Unwrap() io.Writer { return w.w }
