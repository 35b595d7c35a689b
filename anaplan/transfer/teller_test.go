package transfer

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// An upload over a slow line, of one chunk alone, tells how fast that is and how long it
// takes, long before the chunk has arrived.
func TestUploadTellsItsRate(t *testing.T) {
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		const line = 10_000
		data := pattern(60 * line)
		u := n.upload(data)
		u.Gzip, u.Parallel, u.Line = GzipOff, 1, NewLine(line)
		began, seen := time.Now(), 0
		u.Progress = func(m Moved) {
			took := time.Since(began)
			if m.Total != int64(len(data)) || m.Wire < m.Bytes {
				t.Errorf("after %v: %+v", took, m)
			}
			if took < 5*time.Second || m.Bytes == m.Total {
				return
			}
			seen++
			if m.Rate < line*0.8 || m.Rate > line*1.2 {
				t.Errorf("after %v: %.0f bytes a second, the line gives %d", took, m.Rate, line)
			}
			if is := time.Minute - took; m.Left < is*3/4-time.Second || m.Left > is*5/4+time.Second {
				t.Errorf("after %v: %v left", took, m.Left)
			}
		}
		if _, err := Send(t.Context(), n.client, u); err != nil {
			t.Fatal(err)
		}
		if seen < 50 || seen > 300 {
			t.Errorf("it told %d times", seen)
		}
	})
}

// A transfer that stands still says so, and that once more in a log.
func TestATransferThatStandsStillSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := wrapped(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/chunks") {
				return respond(`{"chunks":[{"id":"0"}]}`), nil
			}
			resp := respond("")
			resp.Body = io.NopCloser(standing{strings.NewReader("slow"), req.Context()})
			return resp, nil
		})
		var logged []Moved
		lines := Seldom(30*time.Second, func(m Moved) { logged = append(logged, m) })
		var last Moved
		began, stood := time.Now(), time.Duration(0)
		_, err := Receive(t.Context(), c, Download{Writer: io.Discard, Retry: retry.Policy{Tries: 1}, Progress: func(m Moved) {
			if last = m; m.Rate == 0 && stood == 0 {
				stood = time.Since(began)
			}
			lines(m)
		}})
		if !errors.Is(err, anaplan.ErrStalled) {
			t.Fatal(err)
		}
		if want := (Moved{Bytes: 4, Wire: 4, Total: -1, Left: -1}); last != want {
			t.Errorf("it stands at %+v, want %+v", last, want)
		}
		if stood < paceWindow || stood > paceWindow+2*tellLeast {
			t.Errorf("it said so after %v", stood)
		}
		if len(logged) != 1 || logged[0] != last {
			t.Errorf("the log has %+v", logged)
		}
	})
}

// A chunk that is sent again is not counted twice, though the line has taken a part of it twice.
func TestProgressOfARepeatedChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		puts := 0
		c := wrapped(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPut {
				puts++
				for n := range 10 {
					if puts == 1 && n == 6 {
						return nil, errors.New("connection reset")
					}
					if _, err := io.ReadFull(req.Body, make([]byte, 100)); err != nil {
						return nil, err
					}
				}
			}
			return respond(`{"file":{"id":"113000000012"}}`), nil
		})
		var last Moved
		data := pattern(1000)
		_, err := Send(t.Context(), c, Upload{File: "113000000012", At: bytes.NewReader(data), Size: 1000, Gzip: GzipOff, Progress: func(m Moved) {
			if m.Bytes < last.Bytes || m.Bytes > 1000 {
				t.Errorf("%d bytes after %d", m.Bytes, last.Bytes)
			}
			last = m
		}})
		if err != nil {
			t.Fatal(err)
		}
		if puts != 2 || last.Bytes != 1000 || last.Wire != 1600 {
			t.Errorf("%d requests, %+v", puts, last)
		}
	})
}

// Lines of a log: none for what is short, then one in a while.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		lines := Seldom(30*time.Second, func(m Moved) { at = append(at, time.Since(began)) })
		for s := range 100 {
			lines(Moved{Bytes: int64(s), Rate: 1})
			time.Sleep(time.Second)
		}
		if len(at) != 3 || at[0] != 30*time.Second || at[2] != 90*time.Second {
			t.Errorf("told at %v", at)
		}
	})
}
