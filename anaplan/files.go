package anaplan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
)

// File is the metadata of a server file, which only the list has (anaplan-api.md 9.2).
type File struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	ChunkCount   int    `json:"chunkCount"` // 0: no content; may be stale after a delete
	Delimiter    string `json:"delimiter"`
	Encoding     string `json:"encoding"`
	Separator    string `json:"separator"`
	Format       string `json:"format"`
	HeaderRow    int    `json:"headerRow"`    // 1-based; 0 or -1: none
	FirstDataRow int    `json:"firstDataRow"` // likewise
}

// Files lists the server files of a model.
func (c *Client) Files(ctx context.Context, m ModelRef) iter.Seq2[File, error] {
	return list[File](ctx, c, m.path("files"), "files", nil)
}

// UnknownLength is the chunk count of an upload whose length is not known: it ends with
// Complete (anaplan-api.md 9.3, 9.6).
const UnknownLength = -1

// WrongFileError says that Anaplan made a new file instead of opening the one asked for,
// which it does when there is none of that id (anaplan-api.md 9.3). Nothing was uploaded.
type WrongFileError struct {
	Want, Got string
}

func (e *WrongFileError) Error() string {
	return fmt.Sprintf("server file %s does not exist: Anaplan created a new file %s instead; nothing was uploaded", e.Want, e.Got)
}

// SetChunkCount begins an upload of n chunks, or of UnknownLength. It may be repeated
// before the first chunk; later it starts the upload anew (anaplan-api.md 9.3).
func (c *Client) SetChunkCount(ctx context.Context, m ModelRef, file string, n int) error {
	body, size, err := jsonBody(struct {
		ChunkCount int `json:"chunkCount"`
	}{n})
	if err != nil {
		return err
	}
	path := m.path("files", file)
	var keys map[string]json.RawMessage
	r := request{method: http.MethodPost, path: path, kind: jsonType, body: body, size: size}
	if err := c.call(ctx, r, &keys); err != nil {
		return err
	}
	var f File
	if err := object(keys, http.MethodPost, path, "file", &f); err != nil {
		return err
	}
	switch f.ID {
	case file:
		return nil
	case "":
		return &FormatError{Method: http.MethodPost, Path: path, Body: snippet(keys["file"]), Err: fmt.Errorf("file.id: %w", errNoSuchKey)}
	default:
		return &WrongFileError{Want: file, Got: f.ID}
	}
}

// Body is what a chunk or file is uploaded from.
type Body struct {
	Open func() (io.ReadCloser, error) // called for each attempt; the last one's Close may come after the call has returned
	Size int64                         // of what Open gives
	Gzip bool                          // it is one complete gzip stream
}

// BytesBody is a Body of bytes, which must not change while it is sent.
func BytesBody(data []byte) Body {
	return Body{Size: int64(len(data)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// PutChunk uploads chunk n, from 0. The same number is overwritten, so it may be
// repeated (anaplan-api.md 9.4, 19).
func (c *Client) PutChunk(ctx context.Context, m ModelRef, file string, n int, b Body) error {
	kind := bytesType
	if b.Gzip {
		kind = gzipType
	}
	r := request{method: http.MethodPut, path: m.path("files", file, "chunks", strconv.Itoa(n)), kind: kind, body: b.Open, size: b.Size}
	return c.call(ctx, r, nil)
}

// Complete ends an upload of UnknownLength. The body is needed (anaplan-api.md 9.6).
func (c *Client) Complete(ctx context.Context, m ModelRef, file string) error {
	body, size, err := jsonBody(struct {
		ID string `json:"id"`
	}{file})
	if err != nil {
		return err
	}
	r := request{method: http.MethodPost, path: m.path("files", file, "complete"), kind: jsonType, body: body, size: size}
	return c.call(ctx, r, nil)
}

// Chunk is a part of a file or dump. Its id is a number from 0, as a string.
type Chunk struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Chunks lists the chunks of a server file; none if it has no content. Its paging is not
// to be trusted (anaplan-api.md 9.7): the array is all.
func (c *Client) Chunks(ctx context.Context, m ModelRef, file string) ([]Chunk, error) {
	p, err := page[Chunk](ctx, c, m.path("files", file, "chunks"), "chunks", nil)
	return p.items, err
}

// GetChunk reads one chunk: raw bytes, which may end within a line or a character. The
// caller closes it. A chunk that is not there is
// ErrNoContent (anaplan-api.md 9.8).
func (c *Client) GetChunk(ctx context.Context, m ModelRef, file, chunk string) (io.ReadCloser, error) {
	return c.bytes(ctx, m.path("files", file, "chunks", chunk), ErrNoContent)
}

// PutFile uploads a whole server file at once, meant for less than 1 MB. It cannot be
// compressed (anaplan-api.md 9.5): b.Gzip must not be set. It replaces what was there,
// so it may be repeated.
func (c *Client) PutFile(ctx context.Context, m ModelRef, file string, b Body) error {
	path := m.path("files", file)
	if b.Gzip {
		return fmt.Errorf("PUT %s: a whole file cannot be compressed", path)
	}
	return c.call(ctx, request{method: http.MethodPut, path: path, kind: bytesType, body: b.Open, size: b.Size}, nil)
}

// GetFile reads the whole content of a server file; its metadata stand in the list
// (anaplan-api.md 9.8). The caller closes it. Without content it is ErrNoContent. Large
// files are better read chunk by chunk: what breaks off begins again.
func (c *Client) GetFile(ctx context.Context, m ModelRef, file string) (io.ReadCloser, error) {
	return c.bytes(ctx, m.path("files", file), ErrNoContent)
}

// DeleteFile removes the user's private content of a server file (anaplan-api.md 9.9).
func (c *Client) DeleteFile(ctx context.Context, m ModelRef, file string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: m.path("files", file)}, nil)
}

// bytes reads content. A 404 or 204 is the given error as well as what it is.
func (c *Client) bytes(ctx context.Context, path string, none error) (io.ReadCloser, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: path, accept: "*/*"})
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", none, err)
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNoContent {
		resp.Body.Close()
		return nil, fmt.Errorf("GET %s: %w", path, none)
	}
	return resp.Body, nil
}
