package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// filled is a tenant whose server file holds data in chunks of 100 bytes.
func filled(t *testing.T, n *tenant, data []byte) Download {
	t.Helper()
	u := n.upload(data)
	u.ChunkSize = 100
	if _, err := Send(t.Context(), n.client, u); err != nil {
		t.Fatal(err)
	}
	n.prepared()
	return n.download()
}

func TestDownload(t *testing.T) {
	data := pattern(1000)
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		d := filled(t, n, data)
		var b bytes.Buffer
		d.Writer = &b
		var seen []int64
		d.Progress = func(m Moved) { seen = append(seen, m.Bytes) }
		down, err := Receive(t.Context(), n.client, d)
		if want := (Downloaded{Bytes: 1000, Chunks: 10, Digest: digestOf(data)}); err != nil || Downloaded(plainly(Uploaded(down))) != want {
			t.Errorf("%+v, %v; want %+v", down, err, want)
		}
		if !bytes.Equal(b.Bytes(), data) {
			t.Errorf("got %q", b.Bytes())
		}
		if !slices.IsSorted(seen) || seen[len(seen)-1] != 1000 {
			t.Errorf("progress was %v", seen)
		}
	})
}

// Chunks of an export end anywhere, also within a character.
func TestChunksSplitCharacters(t *testing.T) {
	inBubble(t, simulator.Options{ChunkSize: 4}, func(t *testing.T, n *tenant) {
		task, err := n.client.Start(t.Context(), n.export, anaplan.StartOptions{Locale: "en_US"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := n.client.Task(t.Context(), n.export, task.ID); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		down, err := Receive(t.Context(), n.client, Download{Model: n.hub, File: n.export.ID, Writer: &b})
		if err != nil || down.Chunks < 10 {
			t.Errorf("%+v, %v", down, err)
		}
		if got, want := b.String(), "Name,Code,Parent\nKöln,1,\nMálaga,2,\n東京,3,\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestDownloadsThatFail(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, n *tenant, d *Download)
		want  error
		gets  int // at most
	}{
		{"no content", func(t *testing.T, n *tenant, d *Download) {
			if err := n.client.DeleteFile(t.Context(), n.hub, n.file); err != nil {
				t.Fatal(err)
			}
		}, anaplan.ErrNoContent, 5}, // the list still has its chunks (anaplan-api.md 9.9)
		{"no such file", func(t *testing.T, n *tenant, d *Download) { d.File = "113999999999" }, anaplan.ErrNotFound, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
				d := filled(t, n, pattern(1000))
				var b bytes.Buffer
				d.Writer = &b
				tt.setup(t, n, &d)
				n.prepared()
				down, err := Receive(t.Context(), n.client, d)
				if !errors.Is(err, tt.want) || down != (Downloaded{}) || n.count("GET") > tt.gets || b.Len() > 0 {
					t.Errorf("%+v, %d GET, %v, %q", down, n.count("GET"), err, b.Bytes())
				}
			})
		})
	}
}

// full is a disk that takes so many bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, &os.PathError{Op: "write", Path: "a.csv", Err: syscall.ENOSPC}
	}
	return n, nil
}

func TestAFullDisk(t *testing.T) {
	for _, left := range []int{0, 1, 99, 100, 550, 999} {
		inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
			d := filled(t, n, pattern(1000))
			d.Writer = &full{left}
			began := time.Now()
			if _, err := Receive(t.Context(), n.client, d); !errors.Is(err, syscall.ENOSPC) || time.Since(began) != 0 {
				t.Errorf("room for %d, after %v: %v", left, time.Since(began), err)
			}
		})
	}
}

func TestADownloadIsStopped(t *testing.T) {
	cause := errors.New("stopped by SIGTERM")
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		d := filled(t, n, pattern(5000))
		d.Writer = io.Discard
		n.sim.AddFaults(simulator.Fault{Path: "/chunks/", Delay: 10 * time.Second, Count: -1})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(25*time.Second, func() { cancel(cause) })
		began := time.Now()
		_, err := Receive(ctx, n.client, d)
		if !errors.Is(err, cause) || time.Since(began) != 25*time.Second || n.count("GET") != 13 {
			t.Errorf("after %v: %d GET, %v", time.Since(began), n.count("GET"), err)
		}
	})
	// While it waits to ask again.
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		d := filled(t, n, pattern(100))
		d.Writer = io.Discard
		n.sim.AddFaults(simulator.Fault{Path: "/chunks/", Truncate: true})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		began := time.Now()
		if _, err := Receive(ctx, n.client, d); !errors.Is(err, cause) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestDownloadsRunSideBySide(t *testing.T) {
	for parallel, want := range map[int]time.Duration{0: 20 * time.Second, 1: 80 * time.Second, 100: 10 * time.Second} {
		inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
			d := filled(t, n, pattern(800))
			n.sim.AddFaults(simulator.Fault{Path: "/chunks/", Delay: 10 * time.Second, Count: -1})
			d.Writer, d.Parallel = io.Discard, parallel
			began := time.Now()
			if _, err := Receive(t.Context(), n.client, d); err != nil || time.Since(began) != want {
				t.Errorf("%d at a time: %v, %v", parallel, time.Since(began), err)
			}
		})
	}
}

// Each request of a download in turn meets each fault: the writer has the whole
// file, or its beginning and the error says what it met.
func TestEveryRequestOfADownloadFails(t *testing.T) {
	data := pattern(1000)
	for nth := 1; nth <= 11; nth++ {
		if testing.Short() && nth%5 != 1 { // 1, 6 and 11
			continue
		}
		for _, f := range []struct {
			fault simulator.Fault
			want  error
		}{
			{simulator.Fault{Status: 429, RetryAfter: "3"}, nil}, {simulator.Fault{Status: 500}, nil},
			{simulator.Fault{Status: 502, Body: "html"}, nil}, {simulator.Fault{Status: 503, Body: "empty"}, nil},
			{simulator.Fault{Drop: "before"}, nil}, {simulator.Fault{Drop: "after"}, nil},
			{simulator.Fault{Truncate: true}, nil}, {simulator.Fault{Delay: time.Hour}, nil},
			{simulator.Fault{Status: 403}, anaplan.ErrForbidden}, {simulator.Fault{Status: 404}, anaplan.ErrNotFound},
			{simulator.Fault{Status: 401, Body: "empty"}, anaplan.ErrUnauthorized}, {simulator.Fault{Status: 409}, anaplan.ErrBusy},
			{simulator.Fault{Status: 500, Count: -1}, anaplan.ErrUnavailable}, {simulator.Fault{Truncate: true, Count: -1}, anaplan.ErrBrokenOff},
		} {
			inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
				d := filled(t, n, data)
				var b bytes.Buffer
				d.Writer = &b
				f.fault.Nth = nth
				n.sim.AddFaults(f.fault)
				down, err := Receive(t.Context(), n.client, d)
				if !errors.Is(err, f.want) {
					t.Errorf("request %d, %+v: %+v, %v", nth, f.fault, down, err)
				}
				if f.want == nil && (!bytes.Equal(b.Bytes(), data) || down.Digest != digestOf(data)) ||
					f.want != nil && (!bytes.HasPrefix(data, b.Bytes()) || down != (Downloaded{})) {
					t.Errorf("request %d, %+v: %+v, %q", nth, f.fault, down, b.Bytes())
				}
			})
		}
	}
}

// A chunk that always breaks off is asked for five times, and not in a rush.
func TestAChunkThatAlwaysBreaksOff(t *testing.T) {
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		d := filled(t, n, pattern(300))
		n.sim.AddFaults(simulator.Fault{Path: "/chunks/1$", Truncate: true, Count: -1})
		var b bytes.Buffer
		d.Writer = &b
		began := time.Now()
		_, err := Receive(t.Context(), n.client, d)
		if !errors.Is(err, anaplan.ErrBrokenOff) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "chunk 1: ") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took < 12187*time.Millisecond || took > 24375*time.Millisecond || n.count("GET") != 1+2+5 {
			t.Errorf("%d GET in %v", n.count("GET"), took)
		}
		if !bytes.HasPrefix(pattern(300), b.Bytes()) {
			t.Errorf("wrote %q", b.Bytes())
		}
	})
}

// chunked serves chunks as f says, by a stub: it does what the simulator never would.
func chunked(ids string, f func(chunk string, try int) *http.Response) *anaplan.Client {
	var mu sync.Mutex
	tries := map[string]int{}
	return anaplan.New(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/chunks") {
			return respond(ids), nil
		}
		_, chunk, _ := strings.Cut(req.URL.Path, "/chunks/")
		mu.Lock()
		defer mu.Unlock()
		tries[chunk]++
		return f(chunk, tries[chunk]), nil
	})}, "https://x")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func respond(body string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestChunksComeInTheOrderOfTheirIDs(t *testing.T) {
	list := func(ids ...string) string {
		for i, id := range ids {
			ids[i] = fmt.Sprintf(`{"id":%q}`, id)
		}
		return `{"chunks":[` + strings.Join(ids, ",") + `]}`
	}
	for _, tt := range []struct {
		list string
		want string
		gap  bool
	}{
		{list("0", "1", "2"), "<0><1><2>", false},
		{list("10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"), "<0><1><2><3><4><5><6><7><8><9><10>", false},
		{list("0", "2"), "", true},
		{list("1", "2"), "", true},
		{list("0", "1", "1"), "", true},
		{list("0", "x"), "", true},
		{list("0", ""), "", true},
		{list("-1", "0"), "", true},
	} {
		var b bytes.Buffer
		c := chunked(tt.list, func(chunk string, _ int) *http.Response { return respond("<" + chunk + ">") })
		_, err := Receive(t.Context(), c, Download{File: "116000000003", Writer: &b, Parallel: 1})
		_, gap := errors.AsType[*ChunksError](err)
		if gap != tt.gap || b.String() != tt.want || gap != (err != nil) {
			t.Errorf("%s: %q, %v", tt.list, b.String(), err)
		}
	}
}

func TestAChunkThatGotShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chunked(`{"chunks":[{"id":"0"}]}`, func(_ string, try int) *http.Response {
			if try == 1 {
				resp := respond("")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("12345"), failing{io.ErrUnexpectedEOF}))
				return resp
			}
			return respond("123")
		})
		if _, err := Receive(t.Context(), c, Download{Writer: io.Discard}); !errors.Is(err, ErrChanged) {
			t.Errorf("got %v", err)
		}
	})
}

// What was written already is not written again, and the rest goes on after it.
func TestAChunkThatBreaksOffGoesOn(t *testing.T) {
	for _, parallel := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			c := chunked(`{"chunks":[{"id":"0"},{"id":"1"}]}`, func(chunk string, try int) *http.Response {
				whole := map[string]string{"0": "abcdefgh", "1": "ABCDEFGH"}[chunk]
				if try < 4 {
					resp := respond("")
					resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(whole[:2*try]), failing{anaplan.ErrStalled}))
					return resp
				}
				return respond(whole)
			})
			var b bytes.Buffer
			down, err := Receive(t.Context(), c, Download{Writer: &b, Parallel: 1 * parallel})
			if err != nil || b.String() != "abcdefghABCDEFGH" || down.Bytes != 16 || down.Digest != digestOf(b.Bytes()) {
				t.Errorf("%d at a time: %q, %+v, %v", parallel, b.String(), down, err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
