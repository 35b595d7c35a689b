package anaplan

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"strconv"
)

// pageSize is the most rows that Anaplan gives at once (anaplan-api.md 4.4).
const pageSize = 5000

// paging is what an answer says of its page. Its `next` is ignored: it may be there
// when everything was returned (anaplan-api.md 4.4).
type paging struct {
	Meta struct {
		Paging struct {
			TotalSize int `json:"totalSize"`
		} `json:"paging"`
	} `json:"meta"`
}

// list reads a list page by page, by the number of rows received: the service may send
// smaller pages than asked for. A missing key is an empty list (anaplan-api.md 4.3).
func list[T any](ctx context.Context, c *Client, path, key string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for offset := 0; ; {
			q := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)}}
			for k, v := range query {
				q[k] = v
			}
			rows, total, err := page[T](ctx, c, path, key, q)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			offset += len(rows)
			if len(rows) == 0 || offset >= total {
				return
			}
		}
	}
}

func page[T any](ctx context.Context, c *Client, path, key string, query url.Values) (rows []T, total int, err error) {
	var raw json.RawMessage
	if err := c.get(ctx, path, query, &raw); err != nil {
		return nil, 0, err
	}
	if len(raw) == 0 {
		return nil, 0, nil
	}
	var p paging
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, 0, &FormatError{Method: "GET", Path: path, Body: snippet(raw), Err: err}
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, 0, &FormatError{Method: "GET", Path: path, Body: snippet(raw), Err: err}
	}
	if len(keys[key]) == 0 {
		return nil, 0, nil
	}
	if err := json.Unmarshal(keys[key], &rows); err != nil {
		return nil, 0, &FormatError{Method: "GET", Path: path, Body: snippet(keys[key]), Err: fmt.Errorf("%s: %w", key, err)}
	}
	return rows, p.Meta.Paging.TotalSize, nil
}

// one reads an answer whose object stands under a key.
func one[T any](ctx context.Context, c *Client, path, key string, query url.Values) (T, error) {
	var v T
	var keys map[string]json.RawMessage
	if err := c.get(ctx, path, query, &keys); err != nil {
		return v, err
	}
	return v, object(keys, path, key, &v)
}

func object(keys map[string]json.RawMessage, path, key string, v any) error {
	if len(keys[key]) == 0 {
		return &FormatError{Method: "GET", Path: path, Err: fmt.Errorf("%s: %w", key, errNoSuchKey)}
	}
	if err := json.Unmarshal(keys[key], v); err != nil {
		return &FormatError{Method: "GET", Path: path, Body: snippet(keys[key]), Err: fmt.Errorf("%s: %w", key, err)}
	}
	return nil
}
