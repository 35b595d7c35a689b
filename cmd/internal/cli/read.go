package cli

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// readAtMost reads a file that may have so many bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return allOf(f, path, most)
}

func allOf(r io.Reader, path string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, fmt.Errorf("%s holds more than %d KiB, which is the most", path, most>>10)
	}
	return data, err
}

// pipes are those that were read, such as a shell's <(…): each gives its content once, and
// it may be needed for each connection.
type pipes struct {
	mu sync.Mutex
	of map[string]*reading // under way, and pipes that were read
}

// reading is a file that is being read, or was when done is closed.
type reading struct {
	done chan struct{}
	data []byte
	err  error
}

// read is readAtMost, also for a pipe that was read before. A pipe that nobody writes to is
// waited for until ctx ends, and by nobody who wants another.
func (p *pipes) read(ctx context.Context, path string, most int64) ([]byte, error) {
	p.mu.Lock()
	one := p.of[path]
	if one == nil {
		one = &reading{done: make(chan struct{})}
		if p.of == nil {
			p.of = map[string]*reading{}
		}
		p.of[path] = one
		go p.fetch(one, path, most)
	}
	p.mu.Unlock()
	select {
	case <-one.done:
		return one.data, one.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fetch reads a file, and forgets it unless it is a pipe.
func (p *pipes) fetch(one *reading, path string, most int64) {
	keep := false
	if f, err := os.Open(path); err != nil {
		one.err = err
	} else {
		one.data, one.err = allOf(f, path, most)
		info, err := f.Stat()
		keep = one.err == nil && err == nil && info.Mode()&fs.ModeNamedPipe != 0
		f.Close()
	}
	if !keep {
		p.mu.Lock()
		delete(p.of, path)
		p.mu.Unlock()
	}
	close(one.done)
}
