package simulator

import (
	"context"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Wire makes transfers cost what they would on a real network, and the simulator itself as little as it
// can, so that a program's transfers can be measured against it. The zero value changes nothing.
type Wire struct {
	// RoundTrip passes before the answer to each request. How a real connection is set up, and how it
	// becomes faster only bit by bit, is not imitated.
	RoundTrip time.Duration
	// Bandwidth is that of the bodies of all requests and answers together, in bytes a second; 0: no limit.
	Bandwidth int64
	// Counting: a chunk that is uploaded is only counted, by its bytes as they come and their CRC-32 (IEEE),
	// and neither unpacked nor kept, see Counted. Whoever uploads reads nothing back.
	Counting bool
	// Holds makes every server file hold so many bytes for downloads, which are made up: a table of
	// sales without its header, in chunks of Options.ChunkSize. 0: what was put there.
	Holds int64
}

// Counted is an upload that was only counted, by chunk.
type Counted map[int]Sum

// Sum is a chunk as it came.
type Sum struct {
	Bytes int64
	CRC32 uint32
}

// Bytes are those of all chunks.
func (c Counted) Bytes() (all int64) {
	for _, s := range c {
		all += s.Bytes
	}
	return all
}

// Counted tells of the uploads of a user, by name of the file, that were only counted since their last
// chunk count was set.
func (s *Simulator) Counted(user string) map[string]Counted {
	s.lock()
	defer s.mu.Unlock()
	all := map[string]Counted{}
	for _, m := range s.models {
		for _, f := range m.files {
			for u, c := range f.private {
				if u.email == user && c.counted != nil {
					all[f.name] = maps.Clone(c.counted)
				}
			}
		}
	}
	return all
}

// count takes a chunk that was only counted.
func (c *content) count(n int, s *Sum) {
	if c.counted == nil {
		c.counted = Counted{}
	}
	c.chunks[n], c.counted[n] = nil, *s
}

// piece is how much of a body is read or written at a time.
const piece = 256 << 10

var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// line is the bandwidth; nil: no limit.
func (w Wire) line() *rate.Limiter {
	if w.Bandwidth <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(w.Bandwidth), int(max(1, min(16<<10, w.Bandwidth/20))))
}

// receive reads the body of a request, or only counts it.
func (s *Simulator) receive(r *http.Request) ([]byte, *Sum, error) {
	body := s.shaped(r.Context(), r.Body)
	if !s.options.Wire.Counting || r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/chunks/") {
		data, err := io.ReadAll(body)
		return data, nil, err
	}
	p := pieces.Get().(*[piece]byte)
	defer pieces.Put(p)
	k := &Sum{}
	for {
		n, err := body.Read(p[:])
		k.Bytes += int64(n)
		k.CRC32 = crc32.Update(k.CRC32, crc32.IEEETable, p[:n])
		if err == io.EOF {
			return nil, k, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// shaped is what comes or goes, in time with the line.
func (s *Simulator) shaped(ctx context.Context, r io.Reader) io.Reader {
	if s.line == nil {
		return r
	}
	return &shaped{ctx, r, s.line}
}

type shaped struct {
	ctx  context.Context
	r    io.Reader
	line *rate.Limiter
}

func (s *shaped) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), s.line.Burst())])
	if n > 0 {
		if err := s.line.WaitN(s.ctx, n); err != nil {
			return n, err
		}
	}
	return n, err
}

// send writes the body of an answer. Nobody is left to tell when the caller has gone.
func (s *Simulator) send(ctx context.Context, w io.Writer, body io.Reader) {
	p := pieces.Get().(*[piece]byte)
	defer pieces.Put(p)
	body = s.shaped(ctx, body)
	for {
		n, err := body.Read(p[:])
		if n > 0 {
			if _, err := w.Write(p[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// held is a part of what server files hold that hold something made up.
type held struct{ at, left int64 }

// madeUp is one round of it.
var madeUp = sync.OnceValue(func() []byte {
	products := []string{"Jacket", "Parka", "Vest", "Scarf", "Boot", "Pack", "Beanie", "Umbrella"}
	var b []byte
	for n := uint32(1); len(b) < 4*piece; n = n*1664525 + 1013904223 {
		b = append(b, products[n>>29]...)
		for _, digits := range []uint32{n >> 8 % 400, n >> 5 % 12, n >> 13 % 2000, n >> 3 % 1000000} {
			b = append(b, ',')
			for d := digits + 10; d > 0; d /= 10 {
				b = append(b, byte('0'+d%10))
			}
		}
		b = append(b, '\n')
	}
	return b
})

func (h *held) Read(p []byte) (int, error) {
	if h.left == 0 {
		return 0, io.EOF
	}
	all := madeUp()
	n := copy(p[:min(int64(len(p)), h.left)], all[h.at%int64(len(all)):])
	h.at += int64(n)
	h.left -= int64(n)
	return n, nil
}

// holds is the n-th chunk of what is made up; false: there is none.
func (s *Simulator) holds(n int) (answer, bool) {
	size, all := int64(s.options.ChunkSize), s.options.Wire.Holds
	at := int64(n) * size
	if n < 0 || at >= all {
		return answer{}, false
	}
	return madeUpAnswer(at, min(size, all-at)), true
}

func madeUpAnswer(at, size int64) answer {
	a := raw(http.StatusOK, octets, nil)
	a.held = &held{at, size}
	return a
}

// heldChunks is how many chunks there are of what is made up.
func (s *Simulator) heldChunks() int {
	size := int64(s.options.ChunkSize)
	return int((s.options.Wire.Holds + size - 1) / size)
}
