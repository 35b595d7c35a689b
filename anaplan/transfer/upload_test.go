package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/zeebo/xxh3"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

func digestOf(data []byte) string {
	h := xxh3.New()
	_, _ = h.Write(data)
	return sum(h)
}

func TestUploadOfEverySource(t *testing.T) {
	data := pattern(1000)
	for _, tt := range []struct {
		name   string
		source func(*Upload)
		chunks int
		posts  int // chunk count, and complete
	}{
		{"by offset", func(u *Upload) {}, 10, 1},
		{"by offset, though there is a reader", func(u *Upload) { u.Source = strings.NewReader("not this") }, 10, 1},
		{"a reader", func(u *Upload) { u.At, u.Source = nil, onlyReader{bytes.NewReader(data)} }, 10, 1},
		{"a slow reader", func(u *Upload) { u.At, u.Source = nil, iotest.OneByteReader(bytes.NewReader(data)) }, 10, 1},
		{"with its end", func(u *Upload) { u.At, u.Source = nil, iotest.DataErrReader(bytes.NewReader(data)) }, 10, 1},
		{"of unknown length", func(u *Upload) { u.At, u.Source, u.Size = nil, onlyReader{bytes.NewReader(data)}, -1 }, 10, 2},
		{"of unknown length, slow", func(u *Upload) { u.At, u.Source, u.Size = nil, iotest.HalfReader(bytes.NewReader(data)), -1 }, 10, 2},
		{"of unknown length, one chunk", func(u *Upload) {
			u.At, u.Source, u.Size, u.ChunkSize = nil, onlyReader{bytes.NewReader(data)}, -1, 1000
		}, 1, 1},
		{"of unknown length, one byte more than a chunk", func(u *Upload) {
			u.At, u.Source, u.Size, u.ChunkSize = nil, onlyReader{bytes.NewReader(data)}, -1, 999
		}, 2, 2},
		{"plain", func(u *Upload) { u.Gzip = GzipOff }, 10, 1},
		{"one at a time", func(u *Upload) { u.Parallel = 1 }, 10, 1},
		{"with the digest it should have", func(u *Upload) { u.Digest = digestOf(data) }, 10, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
				var seen []int64
				u := n.upload(data)
				u.ChunkSize = 100
				u.Progress = func(m Moved) { seen = append(seen, m.Bytes) }
				tt.source(&u)
				up, err := Send(t.Context(), n.client, u)
				if want := (Uploaded{Bytes: 1000, Chunks: tt.chunks, Digest: digestOf(data)}); err != nil || plainly(up) != want {
					t.Errorf("%+v, %v; want %+v", up, err, want)
				}
				if !bytes.Equal(n.content(), data) {
					t.Errorf("the server file holds %q", n.content())
				}
				if n.count("PUT") != tt.chunks || n.count("POST") != tt.posts {
					t.Errorf("%d PUT, %d POST", n.count("PUT"), n.count("POST"))
				}
				if len(seen) == 0 || !slices.IsSorted(seen) || seen[len(seen)-1] != 1000 {
					t.Errorf("progress was %v", seen)
				}
			})
		})
	}
}

// An Upload by offset may be sent again.
func TestUploadTwice(t *testing.T) {
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		u := n.upload(pattern(100))
		for range 2 {
			if _, err := Send(t.Context(), n.client, u); err != nil || !bytes.Equal(n.content(), pattern(100)) {
				t.Errorf("%q, %v", n.content(), err)
			}
		}
	})
}

// changing is a file whose bytes are others from some place on.
type changing struct {
	*bytes.Reader
	after int64
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	for i := range p[:n] {
		if off+int64(i) >= c.after {
			p[i] ^= 1
		}
	}
	return n, err
}

type failingAt struct{ after int64 }

var errDisk = errors.New("input/output error")

func (f failingAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.after {
		return 0, errDisk
	}
	return len(p), nil
}

// A source that is not what it was said to be leaves an upload that is not finished, or
// nothing at all.
func TestUploadsThatFail(t *testing.T) {
	data := pattern(1000)
	for _, tt := range []struct {
		name   string
		change func(*Upload)
		want   error
		posts  int
		puts   int // at most
	}{
		{"empty", func(u *Upload) { u.Size = 0 }, ErrEmpty, 0, 0},
		{"empty, of unknown length", func(u *Upload) { u.At, u.Source, u.Size = nil, strings.NewReader(""), -1 }, ErrEmpty, 0, 0},
		{"empty, though it was not", func(u *Upload) { u.At = bytes.NewReader(nil) }, ErrChanged, 1, 0},
		{"too large", func(u *Upload) { u.Size = MaxChunk*MaxChunks + 1 }, ErrTooLarge, 0, 0},
		{"shorter", func(u *Upload) { u.Size = 1001 }, ErrChanged, 1, 10},
		{"shorter by a chunk", func(u *Upload) { u.Size = 1100 }, ErrChanged, 1, 10},
		{"shorter, a reader", func(u *Upload) { u.At, u.Source, u.Size = nil, bytes.NewReader(data), 1001 }, ErrChanged, 1, 10},
		{"longer", func(u *Upload) { u.Size = 999 }, ErrChanged, 1, 9},
		{"longer by a chunk", func(u *Upload) { u.Size = 900 }, ErrChanged, 1, 8},
		{"longer, a reader", func(u *Upload) { u.At, u.Source, u.Size = nil, bytes.NewReader(data), 900 }, ErrChanged, 1, 8},
		{"another digest", func(u *Upload) { u.At, u.Digest = &changing{Reader: bytes.NewReader(data), after: 950}, digestOf(data) }, ErrChanged, 1, 9},
		{"another digest, of unknown length", func(u *Upload) {
			u.At, u.Source, u.Size, u.Digest = nil, bytes.NewReader(data), -1, digestOf(data[1:])
		}, ErrChanged, 1, 10},
		{"cannot be read", func(u *Upload) { u.At = failingAt{550} }, errDisk, 1, 5},
		{"cannot be read at its end", func(u *Upload) { u.At = failingAt{1000} }, errDisk, 1, 9},
		{"cannot be read at its beginning", func(u *Upload) { u.At, u.Source, u.Size = nil, iotest.ErrReader(errDisk), -1 }, errDisk, 0, 0},
		{"breaks off, of unknown length", func(u *Upload) {
			u.At, u.Source, u.Size = nil, io.MultiReader(bytes.NewReader(data[:550]), iotest.ErrReader(errDisk)), -1
		}, errDisk, 1, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
				u := n.upload(data)
				u.ChunkSize = 100
				tt.change(&u)
				if up, err := Send(t.Context(), n.client, u); !errors.Is(err, tt.want) {
					t.Errorf("%+v, %v; want %v", up, err, tt.want)
				}
				if n.count("POST") != tt.posts || n.count("PUT") > tt.puts {
					t.Errorf("%d POST, %d PUT", n.count("POST"), n.count("PUT"))
				}
			})
		})
	}
	if _, err := Send(t.Context(), nil, Upload{At: strings.NewReader("x"), Size: -1}); err == nil {
		t.Error("an io.ReaderAt without a size was taken")
	}
}

func TestAStreamThatIsTooLong(t *testing.T) {
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		for size, want := range map[int]error{1000: nil, 1001: ErrTooLarge} {
			s, err := newSender(n.client, Upload{Model: n.hub, File: n.file, Source: bytes.NewReader(pattern(size)), Size: -1})
			if err != nil {
				t.Fatal(err)
			}
			s.size = func(int) int64 { return 1 }
			n.prepared()
			if err := s.unknown(t.Context()); !errors.Is(err, want) || s.up.Chunks != 1000 {
				t.Errorf("%d: %+v, %v", size, s.up, err)
			}
			completed := map[bool]int{true: 2, false: 1}[want == nil]
			if n.count("POST") != completed {
				t.Errorf("%d: %d POST", size, n.count("POST"))
			}
		}
	})
}

func TestUploadToAFileThatIsNotThere(t *testing.T) {
	inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
		u := n.upload(pattern(10))
		u.File = "113999999999"
		_, err := Send(t.Context(), n.client, u)
		if _, ok := errors.AsType[*anaplan.WrongFileError](err); !ok || n.count("PUT") != 0 {
			t.Errorf("%d PUT, %v", n.count("PUT"), err)
		}
	})
}

// Four at a time: eight chunks of 10 s each take 20 s.
func TestUploadsRunSideBySide(t *testing.T) {
	for parallel, want := range map[int]time.Duration{0: 20 * time.Second, 1: 80 * time.Second, 3: 30 * time.Second, 100: 10 * time.Second} {
		inBubble(t, simulator.Options{Faults: []simulator.Fault{{Method: "PUT", Delay: 10 * time.Second, Count: -1}}}, func(t *testing.T, n *tenant) {
			u := n.upload(pattern(800))
			u.ChunkSize, u.Parallel = 100, parallel
			began := time.Now()
			if _, err := Send(t.Context(), n.client, u); err != nil || time.Since(began) != want {
				t.Errorf("%d at a time: %v, %v", parallel, time.Since(began), err)
			}
		})
	}
}

func TestAnUploadIsStopped(t *testing.T) {
	cause := errors.New("stopped by SIGTERM")
	for _, unknown := range []bool{false, true} {
		inBubble(t, simulator.Options{Faults: []simulator.Fault{{Method: "PUT", Delay: 10 * time.Second, Count: -1}}}, func(t *testing.T, n *tenant) {
			u := n.upload(pattern(5000))
			if unknown {
				u.At, u.Source, u.Size = nil, bytes.NewReader(pattern(5000)), -1
			}
			u.ChunkSize = 100
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(25*time.Second, func() { cancel(cause) })
			began := time.Now()
			_, err := Send(ctx, n.client, u)
			if !errors.Is(err, cause) || time.Since(began) != 25*time.Second || n.count("PUT") != 12 || n.count("POST") != 1 {
				t.Errorf("after %v: %d PUT, %d POST, %v", time.Since(began), n.count("PUT"), n.count("POST"), err)
			}
		})
	}
}

// A chunk that is refused ends the upload; what else is on its way is not waited for.
func TestAChunkThatIsRefused(t *testing.T) {
	faults := []simulator.Fault{{Method: "PUT", Path: "/chunks/3$", Delay: time.Second, Status: 403}, {Method: "PUT", Path: "/chunks/[1245]$", Delay: time.Hour, Count: -1}}
	inBubble(t, simulator.Options{Faults: faults}, func(t *testing.T, n *tenant) {
		u := n.upload(pattern(5000))
		u.ChunkSize = 100
		began := time.Now()
		_, err := Send(t.Context(), n.client, u)
		if !errors.Is(err, anaplan.ErrForbidden) || !strings.Contains(err.Error(), "chunk 3: ") || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// Each request of an upload in turn meets each fault: the file is whole, or the error
// says what it met.
func TestEveryRequestOfAnUploadFails(t *testing.T) {
	data := pattern(1000)
	for _, unknown := range []bool{false, true} {
		requests := 11 // chunk count, ten chunks
		if unknown {
			requests++ // complete
		}
		for nth := 1; nth <= requests; nth++ {
			if testing.Short() && nth%5 != 1 { // 1, 6 and 11
				continue
			}
			for _, f := range []struct {
				fault simulator.Fault
				want  error
			}{
				{simulator.Fault{Status: 429, RetryAfter: "3"}, nil}, {simulator.Fault{Status: 500}, nil},
				{simulator.Fault{Status: 502, Body: "html", Took: true}, nil}, {simulator.Fault{Status: 503, Body: "empty"}, nil},
				{simulator.Fault{Drop: "before"}, nil}, {simulator.Fault{Drop: "after"}, nil},
				{simulator.Fault{Delay: time.Hour}, nil},
				{simulator.Fault{Status: 403}, anaplan.ErrForbidden}, {simulator.Fault{Status: 404}, anaplan.ErrNotFound},
				{simulator.Fault{Status: 409}, anaplan.ErrBusy},
				{simulator.Fault{Status: 401, Body: "empty"}, anaplan.ErrUnauthorized},
				{simulator.Fault{Status: 500, Count: -1}, anaplan.ErrUnavailable},
			} {
				inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
					f.fault.Nth = nth
					n.sim.AddFaults(f.fault)
					u := n.upload(data)
					u.ChunkSize = 100
					if unknown {
						u.At, u.Source, u.Size = nil, bytes.NewReader(data), -1
					}
					up, err := Send(t.Context(), n.client, u)
					if !errors.Is(err, f.want) || f.want == nil && (!bytes.Equal(n.content(), data) || up.Bytes != 1000) {
						t.Errorf("request %d of %d, %+v: %+v, %v", nth, requests, f.fault, up, err)
					}
				})
			}
		}
	}
}

// plainly is an upload as far as its bytes say.
func plainly(up Uploaded) Uploaded {
	up.Wire, up.Took = 0, 0
	return up
}

// Memory that a body may still read is given back when the last is closed.
func TestAChunkThatIsStillReadKeepsItsMemory(t *testing.T) {
	for _, zip := range []bool{false, true} {
		budget := NewBudget(4 * slabSize)
		c, err := newChunk(t.Context(), memory{budget, NewBudget(0)}, 0, 0, 5, zip)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.fill(func(p []byte, _ int64) (int, error) { return copy(p, "first"), nil }); err != nil {
			t.Fatal(err)
		}
		if zip {
			if err := c.compress(&zipper{}, 2); err != nil {
				t.Fatal(err)
			}
		}
		b := c.body(t.Context(), nil, new(atomic.Int64), nil)
		one, _ := b.Open()
		two, _ := b.Open()
		one.Close()
		one.Close()
		c.free()
		if budget.try(4) {
			t.Errorf("zip %v: given back while it is read", zip)
		}
		two.Close()
		if !budget.try(4) {
			t.Errorf("zip %v: not given back", zip)
		}
	}
}

// A chunk that comes out shorter gives back what it does not need.
func TestAChunkThatIsShorterThanItsMemory(t *testing.T) {
	budget := NewBudget(5 * slabSize)
	for _, got := range []int64{0, 1, slabSize, slabSize + 1, 4 * slabSize} {
		data := pattern(int(got))
		c, err := newChunk(t.Context(), memory{budget, NewBudget(0)}, 0, 0, 4*slabSize, true)
		if err != nil {
			t.Fatal(err)
		}
		source := bytes.NewReader(data)
		if err := c.fill(func(p []byte, _ int64) (int, error) { return io.ReadFull(source, p) }); (err == io.EOF) != (got == 0) || c.size != got {
			t.Errorf("%d bytes: %d, %v", got, c.size, err)
		}
		if left := 4 - slabsFor(got); left > 0 {
			if !budget.try(left) {
				t.Errorf("%d bytes: memory was not given back", got)
			}
			budget.release(left)
		}
		if got > 0 {
			z := &zipper{}
			if !z.worth(c) {
				t.Errorf("%d bytes: text is not worth compressing", got)
			}
			if err := c.compress(z, 6); err != nil {
				t.Fatal(err)
			}
			var wire atomic.Int64
			body, _ := c.body(t.Context(), nil, &wire, nil).Open()
			zip, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := io.ReadAll(zip); err != nil || !bytes.Equal(back, data) || wire.Load() != c.sent {
				t.Errorf("%d bytes: %d came back, %v", got, len(back), err)
			}
			body.Close()
		}
		c.free()
	}
	if !budget.try(5) {
		t.Error("memory was not given back at the end")
	}
}

// What cannot be compressed stays within its memory at every level, and auto sends it as
// it is.
func TestWhatCannotBeCompressed(t *testing.T) {
	data := make([]byte, 3*slabSize-5)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for _, level := range []string{GzipAuto, GzipOff, "1", "2", "5", "6", "7", "9"} {
		inBubble(t, simulator.Options{}, func(t *testing.T, n *tenant) {
			u := n.upload(data)
			u.Gzip, u.Memory = level, NewBudget(4*slabSize)
			up, err := Send(t.Context(), n.client, u)
			if err != nil || !bytes.Equal(n.content(), data) {
				t.Errorf("%s: %v, %d bytes arrived", level, err, len(n.content()))
			}
			if plain := level == GzipAuto || level == GzipOff; plain != (up.Wire == int64(len(data))) {
				t.Errorf("%s: %d bytes were sent of %d", level, up.Wire, len(data))
			}
		})
	}
}
