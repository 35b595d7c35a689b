package cli

import (
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
	mu  sync.Mutex
	had map[string][]byte
}

// read is readAtMost, also for a pipe that was read before.
func (p *pipes) read(path string, most int64) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if data, ok := p.had[path]; ok {
		return data, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := allOf(f, path, most)
	if info, statErr := f.Stat(); err == nil && statErr == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		if p.had == nil {
			p.had = map[string][]byte{}
		}
		p.had[path] = data
	}
	return data, err
}
