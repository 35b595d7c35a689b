package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
)

// stub is a server of one file, whose network does what no simulator can.
type stub struct {
	chunk func(req *http.Request, n, try int, next func(*http.Request) (*http.Response, error)) (*http.Response, error)
	size  int // of a chunk that is downloaded

	mu    sync.Mutex
	data  []byte // that is downloaded
	got   map[int][]byte
	tries map[int]int
}

func newStub() *stub { return &stub{got: map[int][]byte{}, tries: map[int]int{}, size: 100} }

func (s *stub) RoundTrip(req *http.Request) (*http.Response, error) {
	_, number, ok := strings.Cut(req.URL.Path, "/chunks/")
	if !ok {
		if req.Body != nil {
			req.Body.Close()
		}
		var ids []string
		for i := 0; i*s.size < len(s.data); i++ {
			ids = append(ids, fmt.Sprintf(`{"id":"%d"}`, i))
		}
		return respond(`{"file":{"id":"113000000012"},"chunks":[` + strings.Join(ids, ",") + `]}`), nil
	}
	var n int
	_, _ = fmt.Sscan(number, &n)
	s.mu.Lock()
	s.tries[n]++
	try := s.tries[n]
	s.mu.Unlock()
	serve := func(req *http.Request) (*http.Response, error) { return s.serve(req, n) }
	if s.chunk == nil {
		return serve(req)
	}
	return s.chunk(req, n, try, serve)
}

// serve takes or gives a chunk.
func (s *stub) serve(req *http.Request, n int) (*http.Response, error) {
	if req.Method != http.MethodPut {
		return respond(string(s.data[n*s.size : min(len(s.data), (n+1)*s.size)])), nil
	}
	defer req.Body.Close()
	from := io.Reader(req.Body)
	if req.Header.Get("Content-Type") == "application/x-gzip" {
		zip, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = zip
	}
	data, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[n] = data
	return respond(""), nil
}

// content is what came, in order.
func (s *stub) content() []byte {
	var all []byte
	for n := range len(s.got) {
		all = append(all, s.got[n]...)
	}
	return all
}

// client has all wrappers.
func (s *stub) client() *anaplan.Client {
	return anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: s, Policy: retry.Policy{First: time.Second}}), "https://x")
}

var errReset = errors.New("connection reset by peer")

// faults are what may happen to a chunk. They are over with the first try.
var faults = map[string]func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error){
	"fails": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if req.Body != nil {
			req.Body.Close()
		}
		resp := respond("")
		resp.StatusCode = http.StatusServiceUnavailable
		return resp, nil
	},
	"is cut short": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if req.Method == http.MethodPut {
			_, _ = req.Body.Read(make([]byte, 40))
			req.Body.Close()
			return nil, errReset
		}
		resp, err := next(req)
		if err == nil {
			resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 40), failing{errReset}))
		}
		return resp, err
	},
	"hangs": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if req.Method == http.MethodPut {
			_, _ = req.Body.Read(make([]byte, 40))
			<-req.Context().Done()
			req.Body.Close()
			return nil, req.Context().Err()
		}
		resp, err := next(req)
		if err == nil {
			resp.Body = io.NopCloser(standing{io.LimitReader(resp.Body, 40), req.Context()})
		}
		return resp, err
	},
	"arrives twice": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if _, err := next(req); err != nil {
			return nil, err
		}
		return nil, errReset // the answer is lost: it is sent again
	},
	"is read after its answer": func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if req.Method != http.MethodPut {
			return next(req)
		}
		late, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		time.AfterFunc(time.Minute, func() { late.Close() })
		return next(req)
	},
}

// Every chunk in turn meets every fault: the file is whole, and all memory is given back.
// That no goroutine is left is for the bubble to see.
func TestEveryChunkMeetsEveryFault(t *testing.T) {
	data := pattern(500)
	for name, fault := range faults {
		for chunk := range 5 {
			for _, zip := range []string{GzipOff, "2"} {
				synctest.Test(t, func(t *testing.T) {
					s, budget := newStub(), NewBudget(0)
					s.data = data
					s.chunk = func(req *http.Request, n, try int, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
						if n == chunk && try == 1 {
							return fault(req, next)
						}
						return next(req)
					}
					up, err := Send(t.Context(), s.client(), Upload{File: "113000000012", At: bytes.NewReader(data), Size: 500, ChunkSize: 100, Gzip: zip, Memory: budget})
					if err != nil || !bytes.Equal(s.content(), data) || up.Digest != digestOf(data) {
						t.Errorf("chunk %d %s, gzip %s: %q, %v", chunk, name, zip, s.content(), err)
					}
					s.tries = map[int]int{}
					var got bytes.Buffer
					down, err := Receive(t.Context(), s.client(), Download{File: "113000000012", Writer: &got, Memory: budget})
					if err != nil || !bytes.Equal(got.Bytes(), data) || down.Digest != digestOf(data) {
						t.Errorf("down: chunk %d %s: %q, %v", chunk, name, got.Bytes(), err)
					}
					time.Sleep(time.Hour)
					if !budget.try(budget.slabs) {
						t.Errorf("chunk %d %s: memory is not given back", chunk, name)
					}
				})
			}
		}
	}
}

// A source that changes while it is read leaves an upload that lacks its last chunk.
func TestTheSourceChanges(t *testing.T) {
	data := pattern(1000)
	for _, at := range []int64{0, 450, 899, 900, 999} {
		for _, reader := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s, budget := newStub(), NewBudget(0)
				source := &changing{bytes.NewReader(data), at}
				u := Upload{File: "113000000012", At: source, Size: 1000, ChunkSize: 100, Digest: digestOf(data), Memory: budget}
				if reader {
					u.At, u.Source = nil, io.NewSectionReader(source, 0, 1000)
				}
				up, err := Send(t.Context(), s.client(), u)
				if !errors.Is(err, ErrChanged) || len(s.got[9]) > 0 || up.Digest == u.Digest {
					t.Errorf("from %d on: last chunk %q, %+v, %v", at, s.got[9], up, err)
				}
				if !budget.try(budget.slabs) {
					t.Error("memory is not given back")
				}
			})
		}
	}
}

// A disk that becomes full ends a download at once, and nothing is left of it.
func TestADiskThatBecomesFull(t *testing.T) {
	for _, left := range []int{0, 50, 100, 450, 999} {
		synctest.Test(t, func(t *testing.T) {
			s, budget := newStub(), NewBudget(8*slabSize)
			s.data = pattern(1000)
			s.chunk = func(req *http.Request, n, _ int, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
				resp, err := next(req)
				if err == nil && n == 9 {
					resp.Body = io.NopCloser(standing{resp.Body, req.Context()}) // would go on for long
				}
				return resp, err
			}
			began := time.Now()
			w := &full{left}
			if _, err := Receive(t.Context(), s.client(), Download{File: "116000000003", Writer: w, Parallel: 10, Memory: budget}); err == nil || time.Since(began) > time.Minute && left < 999 {
				t.Errorf("room for %d: after %v: %v", left, time.Since(began), err)
			}
			if !budget.try(budget.slabs) {
				t.Errorf("room for %d: memory is not given back", left)
			}
		})
	}
}

// Several transfers together never take more than their budget, whatever they are and
// whatever happens to them, and all of them end.
func TestTheBudgetIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type script struct {
			up, reader   bool
			size, chunk  int64
			parallel     int
			gzip         string
			refused      int // chunk that is refused; -1: none
			slow, cancel int // seconds
		}
		var scripts []script
		for range rapid.IntRange(1, 4).Draw(rt, "transfers") {
			scripts = append(scripts, script{
				up: rapid.Bool().Draw(rt, "up"), reader: rapid.Bool().Draw(rt, "reader"),
				size:     rapid.Int64Range(1, 5*slabSize).Draw(rt, "size"),
				chunk:    rapid.Int64Range(slabSize/8, 4*slabSize).Draw(rt, "chunk"),
				parallel: rapid.IntRange(1, 6).Draw(rt, "parallel"),
				gzip:     rapid.SampledFrom([]string{"off", "off", "off", "auto"}).Draw(rt, "gzip"),
				refused:  rapid.IntRange(-8, 8).Draw(rt, "refused"),
				slow:     rapid.IntRange(0, 3).Draw(rt, "slow"),
				cancel:   rapid.IntRange(-10, 20).Draw(rt, "cancel"),
			})
		}
		slabs := rapid.Int64Range(0, 9).Draw(rt, "budget")
		line := NewLine(rapid.SampledFrom([]int64{0, 0, 100_000}).Draw(rt, "line"))
		var problem error
		synctest.Test(t, func(t *testing.T) {
			budget := NewBudget(1 + slabs*slabSize)
			var all sync.WaitGroup
			var failed atomic.Pointer[error]
			for _, sc := range scripts {
				all.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if sc.cancel >= 0 {
						time.AfterFunc(time.Duration(sc.cancel)*time.Second, cancel)
					}
					s := newStub()
					s.size = int(sc.chunk)
					s.chunk = func(req *http.Request, n, _ int, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
						time.Sleep(time.Duration(sc.slow) * time.Second)
						resp, err := next(req)
						if n == sc.refused && err == nil {
							resp.StatusCode = http.StatusForbidden
						}
						return resp, err
					}
					data := make([]byte, sc.size)
					_, _ = synthetic(sc.size).ReadAt(data, 0)
					var err error
					var got []byte
					if sc.up {
						u := Upload{File: "113000000012", At: bytes.NewReader(data), Size: sc.size, ChunkSize: sc.chunk, Parallel: sc.parallel, Gzip: sc.gzip, Memory: budget, Line: line}
						if sc.reader {
							u.At, u.Source = nil, bytes.NewReader(data)
						}
						_, err = Send(ctx, s.client(), u)
						got = s.content()
					} else {
						var b bytes.Buffer
						s.data = data
						_, err = Receive(ctx, s.client(), Download{File: "116000000003", Writer: &b, Parallel: sc.parallel, Memory: budget, Line: line})
						got = b.Bytes()
					}
					switch {
					case err == nil && !bytes.Equal(got, data):
						err = fmt.Errorf("%+v: %d bytes came", sc, len(got))
					case errors.Is(err, anaplan.ErrForbidden), err != nil && ctx.Err() != nil:
						err = nil
					}
					if err != nil {
						failed.Store(&err)
					}
				})
			}
			all.Wait()
			switch err := failed.Load(); {
			case err != nil:
				problem = *err
			case budget.Peak() > budget.Size():
				problem = fmt.Errorf("%d bytes of %d", budget.Peak(), budget.Size())
			case !budget.try(budget.slabs):
				problem = errors.New("memory is not given back")
			}
		})
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}
