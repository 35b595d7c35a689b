package anaplan

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		name, body, want string
		json             bool
	}{
		{"the envelope", `{"status":{"code":404,"message":"Not Found"},"path":"/2/0/models","timestamp":"2026-08-12T21:41:29.335509915Z"}`, "Not Found", true},
		{"a short one", `{"status":{"code":400,"message":"Bad sort order format: 'name'. Please follow (-){column_name_1},(+){column_name_2}.. format"}}`,
			"Bad sort order format: 'name'. Please follow (-){column_name_1},(+){column_name_2}.. format", true},
		{"an empty message", `{"status":{"code":424,"message":""}}`, "", true},
		{"spaces in it stay", `{"status":{"code":400,"message":" two  blanks \n and a line "}}`, " two  blanks \n and a line ", true},
		{"the login host", `{"status":"FAILURE_BAD_CREDENTIAL","statusMessage":"Wrong."}`, "Wrong.", true},
		{"nothing", "", "", false},
		{"blanks", " \r\n ", "", false},
		{"a page", "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", "502 Bad Gateway 502 Bad Gateway nginx", false},
		{"a page that is cut", "<html><head><title>Sorr", "Sorr", false},
		{"plain text", "upstream connect error, 5 < 6", "upstream connect error, 5 < 6", false},
		{"JSON of something in between", `{"timestamp":"x","status":502,"error":"Bad Gateway"}`, `{"timestamp":"x","status":502,"error":"Bad Gateway"}`, false},
		{"and with a text", `{"status":"error","message":"blocked"}`, `{"status":"error","message":"blocked"}`, false},
		{"no code", `{"status":{"message":"x"}}`, `{"status":{"message":"x"}}`, false},
		{"an array", `[1,2]`, `[1,2]`, false},
		{"null", `null`, `null`, false},
		{"cut JSON", `{"status":{"code":404,"mess`, `{"status":{"code":404,"mess`, false},
		{"bytes", "\xff\xfe\x00", "?\x00", false},
		{"long text", strings.Repeat("ä", 300), strings.Repeat("ä", 100) + "…", false},
	} {
		if got, json := errorText([]byte(tt.body)); got != tt.want || json != tt.json {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, got, json, tt.want, tt.json)
		}
	}
}

func FuzzErrorText(f *testing.F) {
	for _, s := range []string{"", "<html><b>x", `{"status":{"code":1,"message":"m"}}`, `{"status":"A","statusMessage":"m"}`, "\xff", "<<>>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, json := errorText(data)
		if !utf8.ValidString(text) {
			t.Errorf("%q is no text", text)
		}
		if !json && len(text) > 210 {
			t.Errorf("%d bytes of something that is not Anaplan's", len(text))
		}
		e := &Error{Method: "GET", Path: "/x", Status: 500, Message: text, JSON: json}
		if strings.ContainsAny(e.Error(), "\r\n") {
			t.Errorf("%q breaks its line", e.Error())
		}
	})
}

func TestErrorSaysWhatAnaplanSaid(t *testing.T) {
	for _, tt := range []struct {
		e    Error
		want string
	}{
		{Error{Method: "GET", Path: "/models", Status: 404, Message: "Not Found"}, "GET /models: 404 Not Found"},
		{Error{Method: "GET", Path: "/models", Status: 400, Message: `He said "no" in Köln`}, `GET /models: 400 Bad Request: "He said "no" in Köln"`},
		{Error{Method: "PUT", Path: "/x", Status: 500, Message: "two\nlines"}, `PUT /x: 500 Internal Server Error: "two\nlines"`},
		{Error{Method: "PUT", Path: "/x", Status: 452}, `PUT /x: 452`},
		{Error{Method: "GET", Path: "/x", Status: 302, Host: "login.example.com"}, `GET /x: 302 Found: a redirect to login.example.com, not followed`},
	} {
		if got := tt.e.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// Each status is exactly one refusal (anaplan-api.md 6.2).
func TestWhatAStatusMeans(t *testing.T) {
	all := []error{ErrBadRequest, ErrUnauthorized, ErrForbidden, ErrNotFound, ErrBusy, ErrMoved, ErrArchived, ErrLocked,
		ErrOffline, ErrDeployed, ErrRateLimited, ErrUnavailable}
	for status, want := range map[int]error{
		300: ErrUnavailable, 302: ErrUnavailable, 400: ErrBadRequest, 401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound,
		405: ErrBadRequest, 406: ErrBadRequest, 408: ErrUnavailable, 409: ErrBusy, 410: ErrMoved, 415: ErrBadRequest,
		422: ErrArchived, 423: ErrLocked, 424: ErrOffline, 425: ErrDeployed, 429: ErrRateLimited, 452: ErrBadRequest,
		500: ErrUnavailable, 502: ErrUnavailable, 503: ErrUnavailable, 504: ErrUnavailable, 599: ErrUnavailable,
	} {
		err := error(&Error{Status: status})
		for _, e := range all {
			if errors.Is(err, e) != (e == want) {
				t.Errorf("%d is %v: %v", status, e, !(e == want))
			}
		}
	}
	if errors.Is(&Error{Status: 404}, ErrNoDump) || errors.Is(&Error{Status: 404}, http.ErrNoLocation) {
		t.Error("404 is more than it is")
	}
}

// Of an error's body only its beginning is read.
func TestErrorBodiesAreReadThroughALimit(t *testing.T) {
	endless := &zeros{}
	resp := &http.Response{StatusCode: 500, Body: endless}
	err := readError(resp, request{method: "GET", path: "/x"})
	if e, ok := errors.AsType[*Error](err); !ok || len(e.Message) > 210 || endless.read > maxError+4096 {
		t.Errorf("read %d bytes, message of %d", endless.read, len(e.Message))
	}
}

type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	z.read += len(p)
	return len(p), nil
}

func (z *zeros) Close() error { return nil }
