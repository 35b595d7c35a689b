package blob

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// azure is as much of the service as moves and reads one blob after another.
type azure struct {
	mu     sync.Mutex
	blobs  map[string]string                           // texts by path
	packed bool                                        // they have Content-Encoding: gzip
	remove func(path string) (status int, code string) // status 0: the answer is lost
	stop   context.CancelCauseFunc
}

func (a *azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := r.URL.Path
	refuse := func(status int, code string) {
		w.Header().Set("x-ms-error-code", code)
		w.WriteHeader(status)
	}
	text, ok := a.blobs[path]
	switch {
	case r.Method == http.MethodPut:
		_, from, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("x-ms-copy-source"), "http://"), "/")
		a.blobs[path] = a.blobs["/"+from]
		w.Header().Set("x-ms-copy-status", "success")
		w.WriteHeader(http.StatusAccepted)
		return
	case !ok:
		refuse(http.StatusNotFound, "BlobNotFound")
		return
	case r.Method == http.MethodDelete:
		status, code := a.remove(path)
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		refuse(status, code)
		return
	}
	for name, value := range map[string]string{"ETag": fmt.Sprintf(`"%x"`, text), "Last-Modified": "Tue, 24 Nov 2026 02:00:00 GMT", "x-ms-creation-time": "Tue, 24 Nov 2026 02:00:00 GMT",
		"x-ms-blob-type": "BlockBlob", "Content-Length": fmt.Sprint(len(text))} {
		w.Header().Set(name, value)
	}
	if a.packed {
		w.Header().Set("Content-Encoding", "gzip")
	}
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, text)
	}
}

// serveAzure gives names of its container c.
func serveAzure(t *testing.T, a *azure) (name func(key string) string) {
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return func(key string) string {
		return "azblob://c/" + key + "?localemu=true&protocol=http&domain=" + strings.TrimPrefix(server.URL, "http://")
	}
}

var errStopped = errors.New("stopped by somebody")

// TestMoveLosesNothing: however the removal of the old name ends, the bytes are somewhere,
// and where it was refused they are under the old name alone.
func TestMoveLosesNothing(t *testing.T) {
	const from, to = "/anna/c/in/a.csv", "/anna/c/done/a.csv"
	for _, c := range []struct {
		name   string
		remove func(a *azure) (status int, code string)
		err    error
		left   []string
	}{
		{"it is gone and the answer is lost", func(a *azure) (int, string) { delete(a.blobs, from); return 0, "" }, nil, []string{to}},
		{"it is refused", func(*azure) (int, string) { return 403, "AuthorizationPermissionMismatch" }, data.ErrDenied, []string{from}},
		{"it is another one now", func(a *azure) (int, string) { a.blobs[from] = "new"; return 412, "ConditionNotMet" }, data.ErrChanged, []string{to, from}},
		{"it may still go", func(a *azure) (int, string) { a.stop(errStopped); return 0, "" }, errStopped, []string{to, from}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // the library waits before it asks again
			a := &azure{blobs: map[string]string{from: "the only one"}}
			a.remove = func(path string) (int, string) {
				if path != from {
					delete(a.blobs, path)
					return http.StatusAccepted, ""
				}
				return c.remove(a)
			}
			ctx, stop := context.WithCancelCause(t.Context())
			a.stop = stop
			name := serveAzure(t, a)
			err := New().Move(ctx, name("in/a.csv"), name("done/a.csv"))
			if !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Errorf("got %v", err)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if left := slices.Sorted(maps.Keys(a.blobs)); !slices.Equal(left, c.left) {
				t.Errorf("left are %v", left)
			}
		})
	}
}

// TestReadsAzuresPackedBlobsAsTheyAre: what has Content-Encoding: gzip is unpacked by
// package data, as anywhere.
func TestReadsAzuresPackedBlobsAsTheyAre(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "a,b\n1,2\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := serveAzure(t, &azure{blobs: map[string]string{"/anna/c/a.csv": packed.String()}, packed: true})
	s := New()
	if got := content(t, s, name("a.csv")); got != packed.String() {
		t.Errorf("got %q", got)
	}
}
