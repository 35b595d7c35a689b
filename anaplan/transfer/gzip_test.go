package transfer

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// The level follows from what the line and the cores do: 200 MB/s a core, to a third.
func TestLevel(t *testing.T) {
	const mb = 1e6
	for _, tt := range []struct {
		name string
		m    measures
		want int
	}{
		{"nothing is known", measures{}, 2},
		{"the line takes all there is", measures{compress: 200 * mb, cores: 2, ratio: 3, line: 90 * mb, each: 50 * mb}, 2},
		{"the line takes more plain than compressed", measures{compress: 200 * mb, cores: 2, ratio: 3, line: 130 * mb, each: 900 * mb}, 0},
		{"one core would be slower than the line", measures{compress: 200 * mb, cores: 1, ratio: 3, line: 50 * mb, waiting: true}, 2},
		{"100 Mbit/s", measures{compress: 200 * mb, cores: 2, ratio: 3, line: 12.5 * mb, waiting: true}, 7},
		{"400 Mbit/s", measures{compress: 200 * mb, cores: 2, ratio: 3, line: 45 * mb, waiting: true}, 5},
		{"10 Mbit/s", measures{compress: 200 * mb, cores: 2, ratio: 3, line: 1.25 * mb, waiting: true}, 9},
	} {
		if got := tt.m.level(); got != tt.want {
			t.Errorf("%s: level %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestGzipLevels(t *testing.T) {
	for said, want := range map[string]int{"": auto, "auto": auto, "off": 0, "1": 1, "9": 9} {
		if got, err := gzipLevel(said); got != want || err != nil {
			t.Errorf("%q: %d, %v", said, got, err)
		}
	}
	for _, said := range []string{"0", "10", "-1", "fast", "1 "} {
		if _, err := Send(t.Context(), nil, Upload{Gzip: said, Size: 1}); err == nil || !strings.Contains(err.Error(), "none of auto, off, 1 to 9") {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// Two transfers on one line of 10,000 bytes a second: 100,000 bytes up and 100,000 down
// take 20 s, whatever goes when.
func TestTheLineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := NewLine(10_000)
		s := newStub()
		s.data, s.size = pattern(100_000), 30_000
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			up, err := Send(t.Context(), s.client(), Upload{File: "113000000012", At: strings.NewReader(string(s.data)), Size: 100_000, ChunkSize: 30_000, Gzip: GzipOff, Line: line})
			if err != nil || up.Wire != 100_000 || up.Took < 15*time.Second || up.Took > 21*time.Second {
				t.Errorf("%+v, %v", up, err)
			}
		})
		all.Go(func() {
			down, err := Receive(t.Context(), s.client(), Download{File: "116000000003", Writer: new(strings.Builder), Line: line})
			if err != nil || down.Wire != 100_000 || down.Took < 15*time.Second || down.Took > 21*time.Second {
				t.Errorf("%+v, %v", down, err)
			}
		})
		all.Wait()
		if took := time.Since(began).Round(time.Second); took != 20*time.Second {
			t.Errorf("took %v", took)
		}
		if NewLine(0) != nil || NewLine(-1) != nil {
			t.Error("a line without bandwidth has a limit")
		}
	})
}

// A model that works lets calls hang: an upload waits for it, as long as it may, and goes on
// with the chunk where it was.
func TestTheModelWorks(t *testing.T) {
	for _, tt := range []struct {
		patience, busy time.Duration
		want           error
	}{{4 * time.Hour, 3 * time.Hour, nil}, {time.Hour, 3 * time.Hour, anaplan.ErrNoAnswer}, {4 * time.Hour, 0, anaplan.ErrNoAnswer}} {
		synctest.Test(t, func(t *testing.T) {
			s := newStub()
			var puts atomic.Int64
			began := time.Now()
			s.chunk = func(req *http.Request, n, _ int, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
				if puts.Add(1); n == 0 && time.Since(began) < 3*time.Hour {
					<-req.Context().Done()
					req.Body.Close()
					return nil, req.Context().Err()
				}
				return next(req)
			}
			c := wrapped(func(req *http.Request) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, "/status") {
					step := "Open"
					if time.Since(began) < tt.busy {
						step = "Processing an import"
					}
					return respond(`{"requestStatus":{"currentStep":"` + step + `"}}`), nil
				}
				return s.RoundTrip(req)
			})
			_, err := Send(t.Context(), c, Upload{File: "113000000012", At: strings.NewReader("abc"), Size: 3, ChunkSize: 1, Patient: WhileBusy(c, anaplan.ModelRef{}, tt.patience)})
			if !errors.Is(err, tt.want) || tt.want == nil && (string(s.content()) != "abc" || s.tries[1] != 1 || time.Since(began) < 3*time.Hour) {
				t.Errorf("%+v: after %v, %d puts, %q: %v", tt, time.Since(began), puts.Load(), s.content(), err)
			}
		})
	}
}

// What Before says ends an upload before the next request.
func TestBeforeEachRequest(t *testing.T) {
	lost := errors.New("the lease is lost")
	for allowed, puts := range map[int]int{0: 0, 1: 0, 4: 3} {
		inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
			u := n.upload(pattern(1000))
			u.ChunkSize, u.Parallel = 100, 1
			asked := 0
			u.Before = func() error {
				if asked++; asked > allowed {
					return lost
				}
				return nil
			}
			if _, err := Send(context.Background(), n.client, u); !errors.Is(err, lost) || n.count("PUT") != puts {
				t.Errorf("%d allowed: %d PUT, %v", allowed, n.count("PUT"), err)
			}
		})
	}
}
