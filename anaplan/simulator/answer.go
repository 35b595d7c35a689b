package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A call is one request with its body, and what routing found out about it.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	base         string // scheme and host, for links
	body         []byte
	count        *Sum // of a body that was not kept

	params  []string // the * of the route
	user    *user
	model   *model
	faulted bool
	due     time.Time // of a late call
	record  int       // its place among the requests
}

type answer struct {
	status int
	header map[string]string
	body   []byte
	held   *held // instead of body
}

// object is a JSON object.
type object map[string]any

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("simulator: encoding an answer: %v", err))
	}
	return answer{status: status, header: map[string]string{"Content-Type": "application/json"}, body: body}
}

func empty(status int) answer { return answer{status: status} }

// refuse is the error envelope (anaplan-api.md 6.1).
func (s *Simulator) refuse(c *call, status int, message string) answer {
	return jsonAnswer(status, object{
		"status":    object{"code": status, "message": message},
		"path":      c.path,
		"timestamp": s.t.UTC().Format("2006-01-02T15:04:05.000000000Z"),
	})
}

func (s *Simulator) notFound(c *call) answer { return s.refuse(c, http.StatusNotFound, "Not Found") }

// schema is the URL that nobody reads (4.2).
func (c *call) schema(kind string) string {
	if c.model != nil {
		return c.base + "/2/0/models/" + c.model.id + "/objects/" + kind
	}
	return c.base + "/2/0/objects/" + kind
}

// success is the envelope with one object in it.
func (c *call) success(kind, key string, v any) answer {
	return jsonAnswer(http.StatusOK, object{
		"meta":   object{"schema": c.schema(kind)},
		"status": object{"code": 200, "message": "Success"},
		key:      v,
	})
}

// page is the envelope with a part of the rows (4.4): at most 5000, no key when there are none (4.3),
// and the false link to a next page when no limit was asked for.
func (s *Simulator) page(c *call, kind, key string, rows []object) answer {
	limit, offset, asked := 5000, 0, false
	for name, to := range map[string]*int{"limit": &limit, "offset": &offset} {
		text := c.query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return s.refuse(c, http.StatusBadRequest, "Invalid "+name+": "+text)
		}
		*to = n
		asked = asked || name == "limit"
	}
	limit = min(limit, 5000)
	total := len(rows)
	rows = rows[min(offset, total):]
	rows = rows[:min(limit, len(rows))]
	paging := object{"currentPageSize": len(rows), "offset": offset, "totalSize": total}
	link := func(limit, offset int) string {
		return fmt.Sprintf("%s%s?limit=%d&offset=%d", c.base, c.path, limit, offset)
	}
	switch {
	case offset+len(rows) < total && len(rows) > 0:
		paging["next"] = link(limit, offset+len(rows))
	case !asked && len(rows) > 0:
		paging["next"] = link(20, offset+20)
	}
	if offset > 0 {
		paging["previous"] = link(limit, max(0, offset-limit))
	}
	envelope := object{
		"meta":   object{"schema": c.schema(kind), "paging": paging},
		"status": object{"code": 200, "message": "Success"},
	}
	if len(rows) > 0 {
		envelope[key] = rows
	}
	return jsonAnswer(http.StatusOK, envelope)
}

// strictSort is the sorting of models, users and workspaces, with its two errors (4.5).
func (s *Simulator) strictSort(c *call, rows []object, fields ...string) (answer, bool) {
	by := c.query.Get("sort")
	if by == "" {
		return answer{}, true
	}
	columns := strings.Split(by, ",")
	slices.Reverse(columns)
	for _, column := range columns {
		if strings.HasPrefix(column, " ") { // a plus sign that was not encoded
			column = "+" + column[1:]
		}
		if !strings.HasPrefix(column, "+") && !strings.HasPrefix(column, "-") {
			return s.refuse(c, http.StatusBadRequest, fmt.Sprintf("Bad sort order format: '%s'. Please follow (-){column_name_1},(+){column_name_2}.. format", column)), false
		}
		if !slices.Contains(fields, column[1:]) {
			return s.refuse(c, http.StatusBadRequest, "Failed to parse sort parameter"), false
		}
		sortRows(rows, column[1:], column[0] == '-')
	}
	return answer{}, true
}

// laxSort is that of everything else: any sign, any field.
func laxSort(c *call, rows []object) {
	by, _, _ := strings.Cut(c.query.Get("sort"), ",")
	down := strings.HasPrefix(by, "-")
	by = strings.TrimLeft(by, "+- ")
	if by == "creationDate" {
		by = "creationTime"
	}
	if by != "" {
		sortRows(rows, by, down)
	}
}

func sortRows(rows []object, by string, down bool) {
	slices.SortStableFunc(rows, func(a, b object) int {
		var n int
		switch x := a[by].(type) {
		case int64:
			y, _ := b[by].(int64)
			n = int(min(1, max(-1, x-y)))
		case string:
			y, _ := b[by].(string)
			n = strings.Compare(x, y)
		case bool:
			n = strings.Compare(fmt.Sprint(a[by]), fmt.Sprint(b[by]))
		}
		if down {
			return -n
		}
		return n
	})
}

func (s *Simulator) write(ctx context.Context, w http.ResponseWriter, a answer) {
	for _, key := range slices.Sorted(maps.Keys(a.header)) {
		w.Header().Set(key, a.header[key])
	}
	size, body := int64(len(a.body)), io.Reader(bytes.NewReader(a.body))
	if a.held != nil {
		size, body = a.held.left, a.held
	}
	if a.status != http.StatusNoContent && a.header["Content-Length"] == "" {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	w.WriteHeader(a.status)
	if size > 0 {
		s.send(ctx, w, body)
	}
}
