//go:build !nostores

package cli

import (
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// storeGate stands before an object store, and lets through what it is not told to stop.
type storeGate struct {
	t     *testing.T
	addr  string
	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	server *http.Server // nil while it is shut
	done   chan struct{}
	refuse func(*http.Request) bool // is answered 403
	before func(*http.Request)      // may panic: then the store never hears of the request
	after  func(*http.Request)      // the store has answered, and the caller has not heard
}

// newStoreGate opens one before the server at an address. With keep the server sees whom the
// caller has asked, which S3 signs; else itself, by which Google's emulator knows requests.
func newStoreGate(t *testing.T, to string, keep bool) *storeGate {
	g := &storeGate{t: t, addr: "127.0.0.1:0"}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			if keep {
				r.Out.Host = r.In.Host
			}
		},
		ErrorLog: log.New(io.Discard, "", 0), // callers that are killed
	}
	g.open()
	t.Cleanup(g.shut)
	return g
}

func (g *storeGate) open() {
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = l.Addr().String()
	server, done := &http.Server{Handler: g, ErrorLog: g.proxy.ErrorLog}, make(chan struct{})
	g.server, g.done = server, done
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
}

// shut: nobody listens any more.
func (g *storeGate) shut() {
	if g.server != nil {
		_ = g.server.Close()
		<-g.done
		g.server = nil
	}
}

// watch sets what is done about requests; nil for nothing.
func (g *storeGate) watch(refuse func(*http.Request) bool, before, after func(*http.Request)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse, g.before, g.after = refuse, before, after
}

func (g *storeGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	refuse, before, after := g.refuse, g.before, g.after
	g.mu.Unlock()
	if refuse != nil && refuse(r) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if before != nil {
		before(r)
	}
	if after == nil {
		g.proxy.ServeHTTP(w, r)
		return
	}
	asked := r.Clone(r.Context())
	answer := httptest.NewRecorder()
	g.proxy.ServeHTTP(answer, r)
	after(asked)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// What requests are, in the words of all three services.

func copies(r *http.Request) bool {
	return r.Header.Get("X-Amz-Copy-Source") != "" || r.Header.Get("X-Ms-Copy-Source") != "" || strings.Contains(r.URL.Path, "/rewriteTo/")
}

func removes(r *http.Request) bool { return r.Method == http.MethodDelete }

// makes: an object is there after it. Google's also begins and ends longer ones by it.
func makes(r *http.Request) bool {
	q := r.URL.Query()
	return r.Method == http.MethodPost && (q.Has("uploadId") || strings.HasPrefix(r.URL.Path, "/upload/")) || r.Method == http.MethodPut && q.Get("comp") == "blocklist"
}

func writes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

func everything(*http.Request) bool { return true }
