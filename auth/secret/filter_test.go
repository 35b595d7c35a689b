package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const tricky = `pä"ss/w<o>rd&+ 'x'\n`

func TestFilterFindsEveryForm(t *testing.T) {
	for _, word := range []string{canary, tricky, "sixsix", "Zm9vYmFyYmF6==", strings.Repeat("long ", 1000)} {
		f := &Filter{}
		f.Add(FromString(word))
		texts := []string{word, url.QueryEscape(word), url.PathEscape(word), "https://" + url.UserPassword("u", word).String() + "@h", fmt.Sprintf("%q", word),
			html.EscapeString(word), hex.EncodeToString([]byte(word)), fmt.Sprintf("%X", word)}
		j, _ := json.Marshal(map[string]string{"x": word})
		texts = append(texts, string(j))
		for _, before := range []string{"", "u:", "uu:", "user:"} {
			for _, after := range []string{"", "x", "xy"} {
				if len(word) > 6 {
					texts = append(texts, base64.StdEncoding.EncodeToString([]byte(before+word+after)), base64.URLEncoding.EncodeToString([]byte(before+word+after)))
				}
			}
		}
		for _, text := range texts {
			got := f.Text("before " + text + " after")
			if !strings.Contains(got, redacted) || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
				t.Errorf("%q: %.80q becomes %.80q", word, text, got)
			}
		}
	}
}

func TestFilterLeavesTheRest(t *testing.T) {
	f := &Filter{}
	if f.Text("anything") != "anything" {
		t.Error("one that knows nothing changes something")
	}
	f.Add(Value{})
	f.Add(FromString("short"))
	f.Add(FromString(canary))
	f.Add(FromString(canary + "-and-more"))
	for text, want := range map[string]string{
		"":                                     "",
		"short":                                "short",
		"Canary":                               "Canary",
		"x" + canary:                           "x" + redacted,
		canary + canary:                        redacted + redacted,
		canary + "-and-more!":                  redacted + "!",
		canary + "-and-less":                   redacted + "-and-less",
		"Canar" + canary:                       "Canar" + redacted,
		"\x00\xff" + canary + "\n" + "ünïcode": "\x00\xff" + redacted + "\nünïcode",
	} {
		if got := f.Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	f.Allow(FromString(canary))
	f.Add(FromString(canary))
	if got := f.Text(canary + " " + canary + "-and-more"); got != canary+" "+redacted {
		t.Errorf("allowed: %q", got)
	}
}

func TestFilterKnowsTheLinesOfAKey(t *testing.T) {
	key := "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\r\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nshort\n-----END PRIVATE KEY-----\n"
	f := &Filter{}
	f.Add(FromString(key))
	got := f.Text("key:\n" + key)
	want := "key:\n-----BEGIN PRIVATE KEY-----\n[redacted]\r\n[redacted]\nshort\n-----END PRIVATE KEY-----\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFilterKnowsALongLine, such as a key store in base64.
func TestFilterKnowsALongLine(t *testing.T) {
	store := strings.Repeat("MIIEvQIBADANBgkqhkiG", mostWhole/16)
	f := &Filter{}
	f.Add(FromString(store))
	var b bytes.Buffer
	w := f.Writer(&b)
	for _, piece := range []string{"store: " + store[:mostWhole], store[mostWhole:] + ".\n"} {
		_, _ = w.Write([]byte(piece))
	}
	if err := w.Flush(); err != nil || b.String() != "store: "+redacted+".\n" {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}

// TestFilterWriterAtEveryCut: a text that is written in pieces, wherever they are cut.
func TestFilterWriterAtEveryCut(t *testing.T) {
	f := &Filter{}
	f.Add(FromString(canary))
	f.Add(FromString("Carnival"))
	text := "Ca " + canary + " Canary- CCarnival\nCana" + canary + canary + " C"
	want := f.Text(text)
	for i := range len(text) {
		for j := i; j < len(text); j++ {
			var b bytes.Buffer
			w := f.Writer(&b)
			for _, piece := range []string{text[:i], text[i:j], text[j:]} {
				if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := w.Flush(); err != nil || b.String() != want {
				t.Fatalf("cut at %d and %d: %q", i, j, b.String())
			}
		}
	}
	var b bytes.Buffer
	w := f.Writer(&b)
	for _, piece := range []string{"a line C\n", "Passphrase: ", "Can"} {
		_, _ = w.Write([]byte(piece))
	}
	if b.String() != "a line C\nPassphrase: " {
		t.Errorf("it holds too much or too little: %q", b.String())
	}
}

func BenchmarkFilterWriter(b *testing.B) {
	f := &Filter{}
	for i := range 50 {
		f.Add(FromString(fmt.Sprintf("%x-secret-%d", i*7919, i)))
	}
	line := []byte(strings.Repeat("2026-11-27T01:00:00Z info    [sales] GET /2/0/workspaces/x/models/y: 200 after 12ms\n", 100))
	w := f.Writer(&bytes.Buffer{})
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		w.w.(*bytes.Buffer).Reset()
		_, _ = w.Write(line)
	}
}

func FuzzFilterWriter(f *testing.F) {
	f.Add("abc"+canary, "def", 4, 7)
	f.Fuzz(func(t *testing.T, text, word string, i, j int) {
		if len(word) < leastSecret || strings.Contains(redacted, word) {
			return
		}
		one := &Filter{}
		one.Add(FromString(word))
		text += word
		i, j = min(max(i, 0), len(text)), min(max(j, 0), len(text))
		var b bytes.Buffer
		w := one.Writer(&b)
		for _, piece := range []string{text[:min(i, j)], text[min(i, j):max(i, j)], text[max(i, j):]} {
			_, _ = w.Write([]byte(piece))
		}
		_ = w.Flush()
		if b.String() != one.Text(text) {
			t.Errorf("%q for %q in pieces, %q whole", b.String(), text, one.Text(text))
		}
	})
}
