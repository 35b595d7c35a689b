package anaplan

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Dump names a failure dump: of an import's task, or of one import within a process's
// task. Only the latest run of an import has one (anaplan-api.md 12.4).
type Dump struct {
	Object Object // whose task it was
	TaskID string
	Nested string // the object inside the process; empty: the task's own dump
}

// path is `dump` for a task's own and `dumps/{object}` for one inside a process
// (anaplan-api.md 12.1).
func (d Dump) path(parts ...string) string {
	if d.Nested != "" {
		return d.Object.path(append([]string{"tasks", d.TaskID, "dumps", d.Nested}, parts...)...)
	}
	return d.Object.path(append([]string{"tasks", d.TaskID, "dump"}, parts...)...)
}

// DumpChunks lists the chunks of a failure dump. That there is none is ErrNoDump, which
// Anaplan says in several ways: 404, 400, or an empty list (anaplan-api.md 12.2).
func (c *Client) DumpChunks(ctx context.Context, d Dump) ([]Chunk, error) {
	path := d.path("chunks")
	p, err := page[Chunk](ctx, c, path, "chunks", nil)
	switch e, _ := errors.AsType[*Error](err); {
	case e != nil && (e.Status == 404 || e.Status == 400):
		return nil, fmt.Errorf("%w: %w", ErrNoDump, err)
	case err != nil:
		return nil, err
	case len(p.items) == 0:
		return nil, fmt.Errorf("GET %s: %w", path, ErrNoDump)
	}
	return p.items, nil
}

// GetDumpChunk reads one chunk of a failure dump, CSV. The caller closes it.
func (c *Client) GetDumpChunk(ctx context.Context, d Dump, chunk string) (io.ReadCloser, error) {
	return c.bytes(ctx, d.path("chunks", chunk), ErrNoDump)
}
