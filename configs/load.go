package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Load reads and parses a job file. Relative paths in it are relative to its folder. A
// file that cannot be read is a [Problems] too.
func Load(file string) (*Job, error) {
	data, problem := readFile(file, "a job file")
	if problem != nil {
		return nil, Problems{*problem}.err()
	}
	j, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(j.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder of %s: %w", file, err)
	}
	j.Dir = dir
	if j.Inline != nil {
		j.Inline.Dir = dir
	}
	return j, nil
}

// readFile reads a file that a person wrote, no more of it than may be used.
func readFile(file, wanted string) ([]byte, *Problem) {
	wrong := func(what, instead string) *Problem {
		return &Problem{File: file, What: what, Instead: instead}
	}
	give := "give the path of " + wanted
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, wrong("there is no such file", give+missing(file))
	case errors.Is(err, fs.ErrPermission):
		return nil, wrong("the file may not be read by this user", "allow it, or run as another user")
	case err != nil:
		return nil, wrong("the file cannot be opened: "+cause(err), give)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, wrong("this is a folder", give)
	}
	data, err := readAll(f)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, wrong(err.Error(), give+", not data")
	case err != nil:
		return nil, wrong("the file cannot be read: "+cause(err), give)
	}
	return data, nil
}

// missing says where a relative path was looked for, or what stands there with the
// ending that was forgotten.
func missing(file string) string {
	if _, err := os.Stat(file + ".toml"); err == nil {
		return fmt.Sprintf(", such as %s.toml, which is there", file)
	}
	if dir, err := os.Getwd(); err == nil && !filepath.IsAbs(file) {
		return "; it was looked for in " + dir
	}
	return ""
}

// cause is an error without the path, which stands before it already.
func cause(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

var errTooLarge = fmt.Errorf("the file is larger than %d bytes", maxSize)

// readAtMost is os.ReadFile, but of what is larger than a file of ours.
func readAtMost(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err == nil && len(data) > maxSize {
		return nil, errTooLarge
	}
	return data, err
}
