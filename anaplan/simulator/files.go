package simulator

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

const octets = "application/octet-stream"

func raw(status int, kind string, body []byte) answer {
	return answer{status: status, header: map[string]string{"Content-Type": kind}, body: body}
}

// fileObject as in the list (anaplan-api.md 9.2): exports lack the format of an import file.
func fileObject(f *file, chunks int) object {
	o := object{"id": f.id, "name": f.name, "chunkCount": chunks, "firstDataRow": f.first, "headerRow": f.header}
	if !f.export {
		o["delimiter"], o["encoding"], o["format"], o["separator"] = f.delimiter, f.encoding, "txt", f.separator
	}
	return o
}

func (s *Simulator) getFiles(c *call) answer {
	var rows []object
	for _, f := range c.model.files {
		rows = append(rows, fileObject(f, s.chunkCount(f, c.user)))
	}
	laxSort(c, rows)
	return s.page(c, "file", "files", rows)
}

// setChunkCount begins an upload. An id that is no file makes a new file of that name: the trap of (9.3).
func (s *Simulator) setChunkCount(c *call) answer {
	var in struct {
		ChunkCount *int `json:"chunkCount"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil || in.ChunkCount == nil || *in.ChunkCount < -1 {
		return s.refuse(c, http.StatusBadRequest, "Bad Request")
	}
	if *in.ChunkCount > 1000 {
		s.misused(c, "a file has at most 1000 chunks")
		return s.refuse(c, http.StatusBadRequest, "Too many chunks")
	}
	f := c.model.file(c.params[0])
	if f == nil {
		c.model.lastFile++
		f = newFile(fmt.Sprintf("113%09d", c.model.lastFile), File{Name: c.params[0], HeaderRow: -1, FirstDataRow: -1})
		c.model.files = append(c.model.files, f)
	}
	if f.export {
		s.misused(c, "this is the output of an export")
		return s.refuse(c, http.StatusBadRequest, "Bad Request")
	}
	s.touched(c, f)
	f.private[c.user] = &content{announced: *in.ChunkCount, chunks: map[int][]byte{}, used: s.t}
	f.shown[c.user] = *in.ChunkCount
	echo := *in.ChunkCount
	if s.switches.EchoZero {
		echo = 0
	}
	return c.success("file", "file", fileObject(f, echo))
}

// touched notes an upload into a file that an import is reading.
func (s *Simulator) touched(c *call, f *file) {
	for _, t := range c.model.queue {
		if t.user == c.user && !t.stranger && t.reads(f) {
			s.misused(c, "uploads into %s while task %s reads it or waits to", f.name, t.id)
			return
		}
	}
}

func (s *Simulator) putFile(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil || f.export {
		return s.notFound(c)
	}
	if isGzip(c) {
		s.misused(c, "a whole file cannot be compressed")
	}
	s.touched(c, f)
	f.private[c.user] = &content{announced: 1, chunks: map[int][]byte{0: c.body}, completed: true, used: s.t}
	f.shown[c.user] = 1
	if len(c.body) == 0 {
		f.private[c.user], f.shown[c.user] = &content{chunks: map[int][]byte{}, completed: true, used: s.t}, 0
	}
	return empty(http.StatusNoContent)
}

func isGzip(c *call) bool {
	kind := c.header.Get("Content-Type")
	return kind == "application/x-gzip" || kind == "application/gzip"
}

func (s *Simulator) putChunk(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil || f.export {
		return s.notFound(c)
	}
	n, err := strconv.Atoi(c.params[1])
	if err != nil || n < 0 || n >= 1000 {
		s.misused(c, "there is no chunk %q", c.params[1])
		return s.refuse(c, http.StatusBadRequest, "Invalid chunk")
	}
	up := s.own(f, c.user)
	if up == nil {
		s.misused(c, "no chunk count was set")
		return s.notFound(c)
	}
	if up.announced >= 0 && n >= up.announced {
		s.misused(c, "chunk %d of %d", n, up.announced)
		return s.notFound(c)
	}
	data := c.body
	if c.count != nil {
		up.count(n, c.count)
	} else if isGzip(c) {
		if c.header.Get("Content-Type") == "application/gzip" && s.switches.RefuseApplicationGzip {
			s.misused(c, "only application/x-gzip is proven")
			return s.refuse(c, http.StatusBadRequest, "Unsupported content type")
		}
		if data, err = gunzip(c.body); err != nil {
			s.misused(c, "the chunk is no whole gzip stream: %v", err)
			return s.refuse(c, http.StatusBadRequest, "Invalid gzip content")
		}
	}
	if c.header.Get("Content-Encoding") != "" {
		s.misused(c, "compression goes by Content-Type, not Content-Encoding")
	}
	s.touched(c, f)
	if c.count == nil {
		up.chunks[n] = data
	}
	up.used = s.t
	up.changes++
	if up.announced < 0 && !up.completed {
		f.shown[c.user] = -1
	}
	return empty(http.StatusNoContent)
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// completeFile ends an upload of unknown length; without a body it is a 500 (9.6).
func (s *Simulator) completeFile(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil {
		return s.notFound(c)
	}
	if !json.Valid(c.body) {
		s.misused(c, "complete needs a JSON body")
		return s.refuse(c, http.StatusInternalServerError, "Internal Server Error")
	}
	up := s.own(f, c.user)
	if up == nil {
		s.misused(c, "nothing was uploaded")
		return s.notFound(c)
	}
	up.completed, up.used = true, s.t
	f.shown[c.user] = len(up.chunks)
	return c.success("file", "file", fileObject(f, len(up.chunks)))
}

// getChunks shows placeholders for announced chunks, received or not (9.3).
func (s *Simulator) getChunks(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil {
		return s.notFound(c)
	}
	count := s.chunkCount(f, c.user)
	if up := s.own(f, c.user); up != nil {
		up.used = s.t
		count = max(up.announced, len(up.chunks))
	}
	if s.options.Wire.Holds > 0 {
		count = s.heldChunks()
	}
	return s.chunkPage(c, count)
}

func (s *Simulator) chunkPage(c *call, count int) answer {
	var rows []object
	for n := range count {
		rows = append(rows, object{"id": strconv.Itoa(n), "name": fmt.Sprintf("Chunk %d", n)})
	}
	return s.page(c, "chunk", "chunks", rows)
}

func (s *Simulator) getChunk(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil {
		return s.notFound(c)
	}
	n, err := strconv.Atoi(c.params[1])
	if s.options.Wire.Holds > 0 && err == nil {
		if a, ok := s.holds(n); ok {
			return a
		}
		return s.notFound(c)
	}
	chunk, ok := s.readable(f, c.user)[n]
	if err != nil || !ok {
		return s.notFound(c)
	}
	return raw(http.StatusOK, octets, chunk)
}

func (s *Simulator) getFile(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil {
		return s.notFound(c)
	}
	if c.header.Get("Accept") == "application/json" {
		s.misused(c, "this is the content of the file; its metadata stand in the list")
	}
	if s.options.Wire.Holds > 0 {
		return madeUpAnswer(0, s.options.Wire.Holds)
	}
	chunks := s.readable(f, c.user)
	if len(chunks) == 0 {
		return s.notFound(c)
	}
	return raw(http.StatusOK, octets, (&content{chunks: chunks}).bytes())
}

// deleteFile removes the caller's private content alone, and leaves the chunk count as it was (9.9).
func (s *Simulator) deleteFile(c *call) answer {
	f := c.model.file(c.params[0])
	if f == nil {
		return s.notFound(c)
	}
	s.touched(c, f)
	delete(f.private, c.user)
	return empty(http.StatusNoContent)
}
