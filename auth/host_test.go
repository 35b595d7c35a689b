package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
)

// A host behaves like the auth host and one API host, called without any network so that it lives in virtual time.
type host struct {
	t        *testing.T
	began    time.Time
	life     time.Duration // of tokens
	offset   time.Duration // of its clock against ours
	noDate   bool
	fresh    time.Duration // how far a v2 message's time may be off; 0: 5 minutes
	changing bool          // a refresh makes a new value
	// fault, when not nil, may answer instead; it returns false to let the request through.
	fault func(path string, n int, w http.ResponseWriter) bool
	// slow is how long each path takes before it answers.
	slow map[string]time.Duration

	mu    sync.Mutex
	calls []hostCall
	ends  map[string]time.Time // token → its end, on the host's clock
	seen  map[string]bool      // v2 messages
	count int
}

type hostCall struct {
	At   time.Duration // since the host began
	Path string
	Code int
}

func newHost(t *testing.T, life time.Duration) *host {
	return &host{t: t, began: time.Now(), life: life, ends: map[string]time.Time{}, seen: map[string]bool{}, slow: map[string]time.Duration{}}
}

func (h *host) now() time.Time { return time.Now().Add(h.offset) }

// expireAll ends all tokens now.
func (h *host) expireAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.ends)
}

// paths returns what was asked for, in order.
func (h *host) paths() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := make([]string, len(h.calls))
	for i, c := range h.calls {
		p[i] = fmt.Sprintf("%s %d", c.Path, c.Code)
	}
	return p
}

func (h *host) times(path string) []time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var at []time.Duration
	for _, c := range h.calls {
		if c.Path == path {
			at = append(at, c.At)
		}
	}
	return at
}

// RoundTrip implements http.RoundTripper.
func (h *host) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	if d := h.slow[r.URL.Path]; d > 0 {
		if err := retry.Sleep(r.Context(), d); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if !h.noDate {
		w.Header().Set("Date", h.now().UTC().Format(http.TimeFormat))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 1
	for _, c := range h.calls {
		if c.Path == r.URL.Path {
			n++
		}
	}
	if h.fault == nil || !h.fault(r.URL.Path, n, w) {
		h.serve(w, r, body)
	}
	h.calls = append(h.calls, hostCall{time.Since(h.began), r.URL.Path, w.Code})
	if w.Code == 599 {
		return nil, io.ErrUnexpectedEOF
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (h *host) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Host == "" && r.URL.Host == "" {
		h.t.Error("request without host")
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch r.URL.Path {
	case "/token/authenticate":
		switch scheme {
		case "CACertificate":
			if text := h.verify(rest, body); text != "" {
				refuse(w, 401, "FAILURE_BAD_CREDENTIAL", text)
				return
			}
		case "Basic":
			if rest != base64.StdEncoding.EncodeToString([]byte("batch@example.com:s3cret")) || len(body) > 0 {
				refuse(w, 401, "FAILURE_BAD_CREDENTIAL", "wrong user or password")
				return
			}
		default:
			refuse(w, 401, "FAILURE_BAD_HEADER", "Invalid header. Verify the header.")
			return
		}
		h.count++
		h.issue(w, 201, fmt.Sprintf("token-%d==", h.count), "Login successful")
		return
	}
	if scheme != "AnaplanAuthToken" {
		h.t.Errorf("%s with authorization scheme %q", r.URL.Path, scheme)
	}
	end, ok := h.ends[rest]
	if !ok || !h.now().Before(end) {
		refuse(w, 401, "FAILURE_BAD_CREDENTIAL", "token is dead")
		return
	}
	switch r.URL.Path {
	case "/token/refresh":
		if h.changing {
			delete(h.ends, rest)
			rest += "+"
		}
		h.issue(w, 200, rest, "Token refreshed")
	case "/token/validate":
		fmt.Fprintf(w, `{"meta":{},"status":"SUCCESS","tokenInfo":{"expiresAt":%d,"tokenId":"x"},"userInfo":{"userGuid":"aa","userId":"batch@example.com","customerGuid":"bb"}}`, end.UnixMilli())
	case "/token/logout":
		delete(h.ends, rest)
		w.WriteHeader(204)
	default:
		w.Write(body)
	}
}

func (h *host) issue(w http.ResponseWriter, code int, value, text string) {
	end := h.now().Add(h.life)
	h.ends[value] = end
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"meta":{"validationUrl":"x"},"status":"SUCCESS","statusMessage":%q,"tokenInfo":{"expiresAt":%d,"tokenId":"i","tokenValue":%q,"refreshTokenId":"r","refreshToken":{"new":1}},"news":[]}`, text, end.UnixMilli(), value)
}

// verify returns what is wrong with a certificate login, in the host's words.
func (h *host) verify(header string, body []byte) string {
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return "header is not base64"
	}
	if b, _ := pem.Decode(raw); b != nil {
		raw = b.Bytes
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return "no certificate"
	}
	var fields map[string]string
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&fields); err != nil {
		return "no JSON"
	}
	message, err1 := base64.StdEncoding.DecodeString(fields["encodedData"])
	signature, err2 := base64.StdEncoding.DecodeString(fields["encodedSignedData"])
	if err1 != nil || err2 != nil || len(message) < 100 {
		return "bad message"
	}
	sum := sha512.Sum512(message)
	if rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA512, sum[:], signature) != nil {
		return "bad signature"
	}
	if fields["encodedDataFormat"] != "v2" {
		return ""
	}
	allowed := h.fresh
	if allowed == 0 {
		allowed = 5 * time.Minute
	}
	sent := time.Unix(int64(binary.BigEndian.Uint64(message)), 0)
	if d := h.now().Sub(sent); d.Abs() > allowed {
		return fmt.Sprintf("message is %s old", d)
	}
	if h.seen[string(message)] {
		return "message seen before"
	}
	h.seen[string(message)] = true
	return ""
}

func refuse(w http.ResponseWriter, code int, status, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"status":%q,"statusMessage":%q}`, status, text)
}

// source returns a Source that logs in to h with a certificate, and a record of its events and warnings.
func (h *host) source(change func(*SourceOptions)) (*Source, *record) {
	rec := &record{}
	o := SourceOptions{
		Login:  Certificate{Identity: testIdentity()},
		Client: &http.Client{Transport: h},
		Base:   "https://auth.example.com",
		Warn:   func(s string) { rec.warnings = append(rec.warnings, s) },
		Event:  func(e Event) { rec.events = append(rec.events, e) },
	}
	if change != nil {
		change(&o)
	}
	return NewSource(o), rec
}

type record struct {
	warnings []string
	events   []Event
}

func (r *record) kinds() []EventKind {
	var k []EventKind
	for _, e := range r.events {
		k = append(k, e.Kind)
	}
	return k
}

// token asks for one and fails the test without.
func token(t *testing.T, s *Source) Token {
	t.Helper()
	tok, err := s.Token(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
