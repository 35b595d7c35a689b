package simulator

import (
	"bytes"
	"time"
)

// A file of a model: an import data source, or an export's output.
type file struct {
	id, name             string
	separator, delimiter string
	encoding             string
	header, first        int
	fallback             []byte
	hasFallback          bool
	export               bool
	private              map[*user]*content
	shown                map[*user]int // the chunk count of the list, stale after a DELETE (9.2)
}

// A content is what one user uploaded, or an export wrote for one.
type content struct {
	announced int // -1: unknown until complete
	chunks    map[int][]byte
	completed bool
	used      time.Time
	changes   int

	counted Counted // chunks that were not kept
}

func newFile(id string, cf File) *file {
	f := &file{
		id: id, name: cf.Name, separator: or(cf.Separator, ","), delimiter: or(cf.Delimiter, `"`),
		encoding: or(cf.Encoding, "UTF-8"), header: cf.HeaderRow, first: cf.FirstDataRow,
		fallback: encode([]byte(cf.Default), cf.Encoding), hasFallback: cf.HasDefault || cf.Default != "",
		private: map[*user]*content{}, shown: map[*user]int{},
	}
	if cf.NoDelimiter {
		f.delimiter = ""
	}
	if f.header == 0 && f.first == 0 {
		f.header, f.first = 1, 2
	}
	return f
}

func (m *model) file(id string) *file {
	for _, f := range m.files {
		if f.id == id {
			return f
		}
	}
	return nil
}

func (m *model) fileNamed(name string) *file {
	for _, f := range m.files {
		if f.name == name && !f.export {
			return f
		}
	}
	return nil
}

// complete says whether the upload has all that was announced.
func (c *content) complete() bool {
	if c.announced < 0 {
		return c.completed
	}
	return len(c.chunks) == c.announced
}

func (c *content) bytes() []byte {
	parts := make([][]byte, 0, len(c.chunks))
	for i, left := 0, len(c.chunks); left > 0; i++ {
		if part, ok := c.chunks[i]; ok {
			parts = append(parts, part)
			left--
		}
	}
	return bytes.Join(parts, nil)
}

// cut makes the content of an export: chunks of at most size bytes.
func cut(data []byte, size int, now time.Time) *content {
	c := &content{chunks: map[int][]byte{}, completed: true, used: now}
	for n := 0; len(data) > 0; n++ {
		part := data[:min(size, len(data))]
		data = data[len(part):]
		c.chunks[n] = part
	}
	c.announced = len(c.chunks)
	return c
}

func (s *Simulator) fileLife() time.Duration {
	return orDuration(s.switches.FileLife, 48*time.Hour)
}

// own is the user's private content; nil when there is none or it is 48 hours since it was touched (9.1).
func (s *Simulator) own(f *file, u *user) *content {
	c := f.private[u]
	if c == nil {
		return nil
	}
	if s.t.Sub(c.used) >= s.fileLife() {
		delete(f.private, u)
		f.shown[u] = 0
		return nil
	}
	return c
}

// readable is the chunks that the user gets: the private content, else the default.
func (s *Simulator) readable(f *file, u *user) map[int][]byte {
	if c := s.own(f, u); c != nil {
		c.used = s.t
		return c.chunks
	}
	if f.hasFallback && len(f.fallback) > 0 {
		return cut(f.fallback, s.options.ChunkSize, s.t).chunks
	}
	return nil
}

// chunkCount as the list shows it.
func (s *Simulator) chunkCount(f *file, u *user) int {
	if s.own(f, u) == nil && f.shown[u] == 0 && f.hasFallback && len(f.fallback) > 0 {
		return len(cut(f.fallback, s.options.ChunkSize, s.t).chunks)
	}
	return max(0, f.shown[u])
}
