package anaplan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
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
			TotalSize *int `json:"totalSize"`
		} `json:"paging"`
	} `json:"meta"`
}

// rows are one page of a list.
type rows[T any] struct {
	items []T
	total int // of all pages; negative: the answer does not say
	raw   json.RawMessage
}

// last says whether nothing comes after this page, seen so many rows with it.
func (p rows[T]) last(seen int) bool {
	if p.total < 0 {
		return len(p.items) < pageSize
	}
	return len(p.items) == 0 || seen >= p.total
}

// list reads a list page by page, by the number of rows received: the service may send
// smaller pages than asked for. A missing key is an empty list (anaplan-api.md 4.3). An
// error is the last thing that comes. The list may be read again: it asks anew.
func list[T any](ctx context.Context, c *Client, path, key string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		var before json.RawMessage
		for offset := 0; ; {
			q := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)}}
			for k, v := range query {
				q[k] = v
			}
			p, err := page[T](ctx, c, path, key, q)
			if err == nil && len(p.items) > 0 && bytes.Equal(p.raw, before) {
				err = &FormatError{Method: http.MethodGet, Path: path, Body: snippet(p.raw), Err: errSamePage}
			}
			if err != nil {
				yield(zero, err)
				return
			}
			for _, r := range p.items {
				if !yield(r, nil) {
					return
				}
			}
			offset += len(p.items)
			if p.last(offset) {
				return
			}
			before = p.raw
		}
	}
}

// errSamePage ends what would else go on for ever: an offset that has no effect.
var errSamePage = errors.New("the page after the last one is the same again")

func page[T any](ctx context.Context, c *Client, path, key string, query url.Values) (rows[T], error) {
	var raw json.RawMessage
	if err := c.get(ctx, path, query, &raw); err != nil {
		return rows[T]{}, err
	}
	p, err := decodePage[T](raw, key)
	if err != nil {
		return rows[T]{}, &FormatError{Method: http.MethodGet, Path: path, Body: snippet(raw), Err: err}
	}
	return p, nil
}

// decodePage reads a page. No answer at all is a list without rows.
func decodePage[T any](raw []byte, key string) (rows[T], error) {
	if len(raw) == 0 {
		return rows[T]{total: -1}, nil
	}
	var p paging
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return rows[T]{}, err
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return rows[T]{}, err
	}
	got := rows[T]{total: -1, raw: keys[key]}
	if p.Meta.Paging.TotalSize != nil {
		got.total = *p.Meta.Paging.TotalSize
	}
	if len(got.raw) == 0 {
		return got, nil
	}
	if err := json.Unmarshal(got.raw, &got.items); err != nil {
		return rows[T]{}, fmt.Errorf("%s: %w", key, err)
	}
	return got, nil
}

// one reads an answer whose object stands under a key.
func one[T any](ctx context.Context, c *Client, path, key string, query url.Values) (T, error) {
	var v T
	var keys map[string]json.RawMessage
	if err := c.get(ctx, path, query, &keys); err != nil {
		return v, err
	}
	return v, object(keys, http.MethodGet, path, key, &v)
}

func object(keys map[string]json.RawMessage, method, path, key string, v any) error {
	raw := keys[key]
	if len(raw) == 0 || string(raw) == "null" {
		return &FormatError{Method: method, Path: path, Body: snippet(raw), Err: fmt.Errorf("%s: %w", key, errNoSuchKey)}
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return &FormatError{Method: method, Path: path, Body: snippet(raw), Err: fmt.Errorf("%s: %w", key, err)}
	}
	return nil
}
