package anaplan_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

var quiet = log.New(io.Discard, "", 0)

// The authorization would follow a redirect, and a start would be sent twice.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed, asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer other.Close()
	for _, to := range []string{other.URL + "/login?token=abc", "/2/0/elsewhere"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/elsewhere") {
					followed.Add(1)
				}
				asked.Add(1)
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			}))
			// Not even when the http.Client would follow.
			hc := anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: server.Client().Transport})
			hc.CheckRedirect = nil
			c := anaplan.New(hc, server.URL+"/2/0/")
			_, err := c.Me(t.Context())
			e, ok := errors.AsType[*anaplan.Error](err)
			host := server.Listener.Addr().String()
			if u, _ := url.Parse(to); u.Host != "" {
				host = u.Host
			}
			if !ok || e.Status != status || e.Host != host || !strings.Contains(err.Error(), "a redirect to "+host+", not followed") || strings.Contains(err.Error(), "abc") {
				t.Errorf("%d to %s: %v", status, to, err)
			}
			asked.Store(0)
			_, err = c.Start(t.Context(), anaplan.Object{Kind: anaplan.KindImport, ID: "112000000001"}, english)
			if !errors.Is(err, anaplan.ErrStartUnknown) || asked.Load() != 1 {
				t.Errorf("%d to %s: %d starts, %v", status, to, asked.Load(), err)
			}
			server.Close()
		}
	}
	if followed.Load() != 0 {
		t.Errorf("%d redirects were followed", followed.Load())
	}
}
