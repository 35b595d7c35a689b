// Command bench measures what upload and download of the runner take, beside the reference
// programs, pigz and curl, all of them real processes that talk over loopback to a simulator
// in this one. It prints one table, and fails if a row is slower than it may be.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

var (
	bin    = flag.String("bin", "", "folder with anaplan-runner and the reference programs")
	dir    = flag.String("dir", "", "folder for the files that are moved")
	tiny   = flag.Bool("tiny", false, "small files, and no limits: whether it works at all")
	large  = flag.Bool("large", false, "10 GB too")
	only   = flag.String("only", "", "regular expression that the beginning of a row must match, such as 'upload +100 MB +off'")
	repeat = flag.Int("repeat", 3, "times that rows of up to 100 MB are run; the best counts")
)

// row is a line of the table.
type row struct {
	verb     string
	size     int64
	gzip     string
	parallel int
	wire     simulator.Wire
	keep     bool // the simulator unpacks and keeps what comes, and it is compared
	least    float64
}

const mb = 1_000_000

// rows are the table. Names of sizes are decimal.
func rows() []row {
	small, middle, big := int64(mb), int64(100*mb), int64(1000*mb)
	if *tiny {
		small, middle, big = 100_000, mb, 3*mb
	}
	var all []row
	for _, size := range []int64{small, middle, big} {
		for _, parallel := range []int{1, 8} {
			all = append(all, row{verb: "upload", size: size, gzip: "2", parallel: parallel, least: 0.9},
				row{verb: "upload", size: size, gzip: "off", parallel: parallel, least: 0.8},
				row{verb: "download", size: size, parallel: parallel, least: 0.8})
		}
	}
	for _, wire := range []simulator.Wire{{RoundTrip: 50 * time.Millisecond}, {RoundTrip: 200 * time.Millisecond}, {Bandwidth: 12_500_000}} {
		least := func(n float64) float64 {
			if wire.Bandwidth > 0 {
				return 0.95
			}
			return n
		}
		all = append(all, row{verb: "upload", size: middle, gzip: "auto", parallel: 8, wire: wire, least: least(0.9)},
			row{verb: "upload", size: middle, gzip: "off", parallel: 8, wire: wire, least: least(0.8)},
			row{verb: "download", size: middle, parallel: 8, wire: wire, least: least(0.8)})
	}
	if *large {
		all = append(all, row{verb: "upload", size: 10 * big, gzip: "2", parallel: 8, least: 0.9},
			row{verb: "download", size: 10 * big, parallel: 8, least: 0.8})
	}
	for _, gzip := range []string{"auto", "off"} {
		all = append(all, row{verb: "upload", size: middle, gzip: gzip, parallel: 8, keep: true})
	}
	return append(all, row{verb: "download", size: middle, parallel: 8, keep: true})
}

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	fmt.Printf("%-9s %7s %5s %4s %-12s %8s %7s %9s %9s %10s %6s %5s %7s %6s %6s\n", "", "size", "gzip", "conn", "line", "runner s", "MB/s", "wire MB/s", "reference", "pigz, curl", "ratio", "least", "peak MB", "cpu s", "ref's")
	var slow []string
	peaks := map[string]float64{}
	some, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	for _, r := range rows() {
		if !some.MatchString(r.name()) {
			continue
		}
		if err := source(r.size); r.verb == "upload" && err != nil {
			return err
		}
		m, err := r.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s of %d bytes: %w", r.verb, r.size, err)
		}
		ratio := m.ratio(r)
		verdict := ""
		if ratio < r.least && !*tiny {
			verdict = "  SLOW"
			slow = append(slow, r.name())
		}
		if r.keep {
			verdict = "  compared: the same"
			m.peak = 0 // what a process takes is counted from what this one has, which keeps the file now
		}
		fmt.Printf("%s %8.3f %7.0f %9.1f %9s %10s %6s %5s %7s %6.2f %6s%s\n", r.name(), m.runner, float64(r.size)/mb/m.runner, float64(m.wire)/mb/m.runner,
			number("%.3f", m.reference), number("%.3f", m.others), number("%.2f", ratio), number("%.2f", r.least), number("%.0f", m.peak), m.cpu, number("%.2f", m.referenceCPU), verdict)
		if r.parallel == 8 && r.wire == (simulator.Wire{}) && r.gzip != "off" && !r.keep {
			peaks[fmt.Sprintf("%s %d", r.verb, r.size/mb)] = m.peak
		}
	}
	if *large {
		for _, verb := range []string{"upload", "download"} {
			small, big := peaks[verb+" 100"], peaks[verb+" 10000"]
			if small == 0 || big == 0 {
				continue // not among the rows that were asked for
			}
			fmt.Printf("peak memory of %s: %.0f MB at 10 GB, %.0f MB at 100 MB: %.2f of it\n", verb, big, small, big/small)
			if big > 1.25*small || big > 200 {
				slow = append(slow, "the memory of "+verb)
			}
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("%d rows are below what they should be: %q", len(slow), slow)
	}
	return nil
}

func (r row) name() string {
	line := "loopback"
	switch {
	case r.wire.Bandwidth > 0:
		line = fmt.Sprintf("%d Mbit/s", r.wire.Bandwidth*8/mb)
	case r.wire.RoundTrip > 0:
		line = r.wire.RoundTrip.String()
	case r.keep:
		line = "kept"
	}
	size := fmt.Sprintf("%g MB", float64(r.size)/mb)
	if r.size >= 1000*mb {
		size = fmt.Sprintf("%g GB", float64(r.size)/mb/1000)
	}
	return fmt.Sprintf("%-9s %7s %5s %4d %-12s", r.verb, size, cmp.Or(r.gzip, "-"), r.parallel, line)
}

// number is empty for nothing.
func number(format string, n float64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf(format, n)
}

// measured is what a row took, in seconds, bytes and MB.
type measured struct {
	runner, reference, others float64
	cpu, referenceCPU         float64
	wire                      int64
	peak                      float64
}

// ratio is how fast the runner was: of the line if it has a bandwidth, else of the reference.
func (m measured) ratio(r row) float64 {
	switch {
	case r.keep:
		return 0
	case r.wire.Bandwidth > 0:
		return float64(m.wire) / float64(r.wire.Bandwidth) / m.runner
	}
	return m.reference / m.runner
}

// measure runs the row, the runner and the reference in turn.
func (r row) measure(ctx context.Context) (m measured, err error) {
	t, err := open(r)
	if err != nil {
		return m, err
	}
	defer t.close()
	best := func(into *float64, now float64) {
		if *into == 0 || now < *into {
			*into = now
		}
	}
	times := 1
	switch {
	case r.keep || *tiny || r.size > 1000*mb:
	case r.size <= mb:
		times = 5 * *repeat
	case r.size <= 100*mb && r.wire.Bandwidth == 0:
		times = *repeat
	case r.size > 100*mb:
		times = 2
	}
	for range times {
		o, err := t.runner(ctx, r)
		if err != nil {
			return m, fmt.Errorf("anaplan-runner: %w", err)
		}
		best(&m.runner, o.Seconds)
		best(&m.cpu, o.cpu)
		m.wire, m.peak = o.Wire, max(m.peak, o.peak)
		if r.keep {
			return m, t.compare(r)
		}
		if err := t.counted(r, o.Wire); err != nil {
			return m, err
		}
		if o, err = t.reference(ctx, r, o.Chunks); err != nil {
			return m, fmt.Errorf("reference: %w", err)
		}
		best(&m.reference, o.Seconds)
		best(&m.referenceCPU, o.cpu)
	}
	m.others, err = t.others(ctx, r)
	return m, err
}

// path is the file of so many bytes.
func path(size int64) string { return filepath.Join(*dir, fmt.Sprintf("%d.csv", size)) }

func program(name string) string { return filepath.Join(*bin, name) }

// output runs a program, and adds what it says on stderr to its error.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, e.Stderr)
	}
	return out, err
}
