package transfer

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// synthetic is a CSV file of so many bytes that is nowhere: each line of 32 bytes says
// where it stands.
type synthetic int64

func (s synthetic) ReadAt(p []byte, off int64) (int, error) {
	if left := int64(s) - off; int64(len(p)) > left {
		n, _ := s.ReadAt(p[:max(0, left)], off)
		return n, io.EOF
	}
	var line [32]byte
	for n := 0; n < len(p); {
		at := off + int64(n)
		copy(line[:], "0000000000,shop,2026-11,1234.50\n")
		for i, v := 9, at/32; i >= 0; i, v = i-1, v/10 {
			line[i] = byte('0' + v%10)
		}
		n += copy(p[n:], line[at%32:])
	}
	return len(p), nil
}

// counting is a server that keeps nothing: of an upload it adds up bytes and positions,
// for a download it makes them up.
type counting struct {
	chunks, size int64 // of a download
	bytes, lines atomic.Int64
	at           func() // called in the middle of every request
}

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	_, chunk, ok := strings.Cut(req.URL.Path, "/chunks/")
	switch {
	case ok && req.Method == http.MethodPut:
		zip, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, err
		}
		var line [32]byte
		for {
			if _, err := io.ReadFull(zip, line[:]); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			c.bytes.Add(32)
			n, err := strconv.ParseInt(string(line[:10]), 10, 64)
			if err != nil {
				return nil, err
			}
			c.lines.Add(n)
		}
		c.at()
		req.Body.Close()
		return respond(""), nil
	case ok:
		n, _ := strconv.ParseInt(chunk, 10, 64)
		resp := respond("")
		resp.Body = io.NopCloser(&noticing{io.NewSectionReader(synthetic(c.chunks*c.size), n*c.size, c.size), c.at})
		return resp, nil
	case req.Method == http.MethodGet:
		var ids []string
		for i := range c.chunks {
			ids = append(ids, fmt.Sprintf(`{"id":"%d"}`, i))
		}
		return respond(`{"chunks":[` + strings.Join(ids, ",") + `]}`), nil
	}
	return respond(`{"file":{"id":"113000000012"}}`), nil
}

type noticing struct {
	io.Reader
	at func()
}

func (n *noticing) Read(p []byte) (int, error) {
	k, err := n.Reader.Read(p)
	if err == io.EOF {
		n.at()
	}
	return k, err
}

// peak of the heap while f runs, above what was there before.
func peak(f func(at func())) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that garbage does not count for much
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most atomic.Int64
	f(func() {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		for old := most.Load(); int64(now.HeapAlloc) > old; old = most.Load() {
			if most.CompareAndSwap(old, int64(now.HeapAlloc)) {
				break
			}
		}
	})
	return most.Load() - int64(before.HeapAlloc)
}

// Ten times as much takes no more memory: a few chunks.
func TestMemoryDoesNotGrowWithTheData(t *testing.T) {
	const chunk, parallel, bound = 1_000_000, 4, 32 << 20
	sizes := []int64{20_000_000, 200_000_000}
	if testing.Short() {
		sizes = []int64{4_000_000, 16_000_000}
	}
	for _, size := range sizes {
		lines := size / 32
		budget := NewBudget(bound / 2)
		server := &counting{chunks: size / chunk, size: chunk}
		client := anaplan.New(&http.Client{Transport: server}, "https://x")
		used := peak(func(at func()) {
			server.at = at
			up, err := Send(t.Context(), client, Upload{File: "113000000012", At: synthetic(size), Size: size, ChunkSize: chunk, Parallel: parallel, Memory: budget})
			if err != nil || up.Bytes != size {
				t.Errorf("%+v, %v", up, err)
			}
		})
		t.Logf("upload of %d MB: %d MB", size/1_000_000, used>>20)
		if used > bound {
			t.Errorf("upload of %d bytes: %d MB of memory", size, used>>20)
		}
		if server.bytes.Load() != size || server.lines.Load() != lines*(lines-1)/2 {
			t.Errorf("the server got %d bytes", server.bytes.Load())
		}
		used = peak(func(at func()) {
			server.at = at
			down, err := Receive(t.Context(), client, Download{File: "116000000003", Writer: &ordered{}, Parallel: parallel, Memory: budget})
			if err != nil || down.Bytes != size {
				t.Errorf("%+v, %v", down, err)
			}
		})
		t.Logf("download of %d MB: %d MB", size/1_000_000, used>>20)
		if used > bound {
			t.Errorf("download of %d bytes: %d MB of memory", size, used>>20)
		}
		if budget.Peak() > budget.Size() {
			t.Errorf("%d bytes of a budget of %d", budget.Peak(), budget.Size())
		}
	}
}

// ordered checks that lines come in order, and keeps nothing.
type ordered struct {
	at   int64
	want []byte
}

func (o *ordered) Write(p []byte) (int, error) {
	if len(o.want) < len(p) {
		o.want = make([]byte, len(p))
	}
	want := o.want[:len(p)]
	_, _ = synthetic(o.at+int64(len(p))).ReadAt(want, o.at) // never fails
	if !bytes.Equal(p, want) {
		return 0, fmt.Errorf("other bytes at %d", o.at)
	}
	o.at += int64(len(p))
	return len(p), nil
}
