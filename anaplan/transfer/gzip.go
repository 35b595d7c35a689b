package transfer

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Values of Upload.Gzip besides "1" to "9". The empty string is GzipAuto.
const (
	GzipAuto = "auto"
	GzipOff  = "off"
)

// auto is the level that is chosen as the transfer goes.
const auto = -1

// gzipLevel reads what an Upload says about compression: auto, 0 for none, or a level.
func gzipLevel(said string) (int, error) {
	switch said {
	case "", GzipAuto:
		return auto, nil
	case GzipOff:
		return 0, nil
	}
	if n, err := strconv.Atoi(said); err == nil && n >= 1 && n <= 9 {
		return n, nil
	}
	return 0, fmt.Errorf("gzip: %q is none of auto, off, 1 to 9", said)
}

// ladder are the levels that auto chooses from, and how fast each is compared with the
// first, on data as it is uploaded: others cost more time for no better ratio.
var ladder = []struct {
	level int
	speed float64
}{{2, 1}, {5, 0.48}, {7, 0.13}, {9, 0.08}}

// measures is what an upload has seen of itself by now.
type measures struct {
	compress float64 // plain bytes a second that one core compresses at the first level; 0: not known
	cores    int
	ratio    float64 // plain to compressed
	line     float64 // bytes a second that go over the line; 0: not known
	each     float64 // likewise, of one connection by itself
	waiting  bool    // compressed chunks wait for a connection: the line is what is slow
}

// level is what the next chunk should be compressed at, 0 for not at all. While the line
// takes all there is, the fastest level is the best, unless even one connection carries
// plain bytes faster than all cores compress them. Else it is the highest level at which
// the cores are still faster than the line, with some room. It is pure.
func (m measures) level() int {
	best := ladder[0].level
	switch {
	case m.compress == 0 || m.line == 0:
		return best
	case !m.waiting:
		if m.each > 1.5*float64(m.cores)*m.compress {
			return 0
		}
		return best
	}
	for _, l := range ladder {
		if float64(m.cores)*m.compress*l.speed > 1.3*m.line*m.ratio {
			best = l.level
		}
	}
	return best
}

// incompressible is the share of its size above which a sample is not worth compressing.
const incompressible = 0.95

// zipper compresses chunks, one after another.
type zipper struct {
	levels [10]*gzip.Writer
	zip    *gzip.Writer
}

func (z *zipper) start(w io.Writer, level int) {
	if z.levels[level] == nil {
		z.levels[level], _ = gzip.NewWriterLevel(w, level) // a level of 1 to 9 is no error
	}
	z.zip = z.levels[level]
	z.zip.Reset(w)
}

func (z *zipper) write(p []byte) error {
	_, err := z.zip.Write(p)
	return err
}

func (z *zipper) end() error { return z.zip.Close() }

// worth says whether a chunk gets smaller by being compressed, by a piece from its
// middle: what is compressed already does not.
func (z *zipper) worth(c *chunk) bool {
	const sample = 32 << 10
	p := c.slabs[c.lead:]
	middle := p[len(p)/2]
	middle = middle[:min(sample, int64(len(middle)), c.size-int64(len(p)/2)*slabSize)]
	var size counter
	z.start(&size, ladder[0].level)
	if z.write(middle) != nil || z.end() != nil {
		return true
	}
	return float64(size) < incompressible*float64(len(middle)) || len(middle) < 1<<10
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// average follows a rate: each new value counts a quarter.
func average(old, now float64) float64 {
	if old == 0 {
		return now
	}
	return old + (now-old)/4
}

// rate is bytes a second; 0 where no time passed.
func rateOf(bytes int64, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(bytes) / took.Seconds()
}
