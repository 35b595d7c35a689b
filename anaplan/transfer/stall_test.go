package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// standing gives some bytes and then none, until its connection is given up.
type standing struct {
	io.Reader
	ctx context.Context
}

func (s standing) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		<-s.ctx.Done()
		err = s.ctx.Err()
	}
	return n, err
}

// wrapped is a client with all wrappers over a network of our own.
func wrapped(f func(*http.Request) (*http.Response, error)) *anaplan.Client {
	return anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: roundTripper(f)}), "https://x")
}

// A download that stands still is given up after two minutes and asked for again; one
// that only is slow may take its time.
func TestADownloadThatStandsStill(t *testing.T) {
	for stalls, want := range map[int]error{1: nil, 4: nil, 5: anaplan.ErrStalled} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			c := wrapped(func(req *http.Request) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, "/chunks") {
					return respond(`{"chunks":[{"id":"0"}]}`), nil
				}
				resp := respond("slowly but surely")
				if tries++; tries <= stalls {
					resp.Body = io.NopCloser(standing{strings.NewReader("slow"), req.Context()})
				}
				return resp, nil
			})
			var b bytes.Buffer
			began := time.Now()
			_, err := Receive(t.Context(), c, Download{Writer: &b})
			if !errors.Is(err, want) || want == nil && b.String() != "slowly but surely" || want != nil && !errors.Is(err, anaplan.ErrBrokenOff) {
				t.Errorf("%d times: %q, %v", stalls, b.String(), err)
			}
			if took := time.Since(began); took < time.Duration(stalls)*2*time.Minute || took > time.Duration(stalls)*2*time.Minute+25*time.Second {
				t.Errorf("%d times: took %v", stalls, took)
			}
		})
	}
}

// An upload whose bytes nobody takes is given up after five minutes and sent again.
func TestAnUploadThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		puts := 0
		var got []byte
		c := wrapped(func(req *http.Request) (*http.Response, error) {
			defer req.Body.Close()
			if req.Method != http.MethodPut {
				return respond(`{"file":{"id":"113000000012"}}`), nil
			}
			if puts++; puts == 1 {
				_, _ = req.Body.Read(make([]byte, 3))
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			var err error
			got, err = io.ReadAll(req.Body)
			return respond(""), err
		})
		began := time.Now()
		up, err := Send(t.Context(), c, Upload{File: "113000000012", At: strings.NewReader("bytes"), Size: 5, Gzip: GzipOff})
		if err != nil || string(got) != "bytes" || up.Bytes != 5 {
			t.Errorf("%q, %+v, %v", got, up, err)
		}
		if took := time.Since(began); took < 5*time.Minute || took > 5*time.Minute+3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// An upload and a download that go on for hours have no limit as a whole.
func TestTransfersHaveNoTotalLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := wrapped(func(req *http.Request) (*http.Response, error) {
			switch {
			case req.Method == http.MethodPost:
				return respond(`{"file":{"id":"113000000012"}}`), nil
			case req.Method == http.MethodPut:
				for p := make([]byte, 1); ; time.Sleep(4 * time.Minute) {
					if _, err := req.Body.Read(p); err != nil {
						req.Body.Close()
						return respond(""), nil
					}
				}
			case strings.HasSuffix(req.URL.Path, "/chunks"):
				return respond(`{"chunks":[{"id":"0"}]}`), nil
			}
			resp := respond("")
			resp.Body = io.NopCloser(&pausing{data: bytes.Repeat([]byte("x"), 700), pause: slow(100)})
			return resp, nil
		})
		began := time.Now()
		if _, err := Send(t.Context(), c, Upload{File: "113000000012", At: bytes.NewReader(make([]byte, 100)), Size: 100, Gzip: GzipOff}); err != nil || time.Since(began) != 400*time.Minute {
			t.Errorf("upload after %v: %v", time.Since(began), err)
		}
		began = time.Now()
		if down, err := Receive(t.Context(), c, Download{Writer: io.Discard}); err != nil || down.Bytes != 700 || time.Since(began) != 100*119*time.Second {
			t.Errorf("download after %v: %+v, %v", time.Since(began), down, err)
		}
	})
}

// slow is n pauses just below the limit.
func slow(n int) (all []int) {
	for range n {
		all = append(all, 119)
	}
	return all
}
