package anaplan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// listing answers with pages of at most size rows out of n, and says of each page what
// paging says.
func listing(n, size int, paging func(offset, rows int) string, asked *[]string) *Client {
	return New(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		*asked = append(*asked, req.URL.RawQuery)
		if len(*asked) > n+3 {
			return nil, errors.New("it goes on for ever")
		}
		offset, _ := strconv.Atoi(req.URL.Query().Get("offset"))
		var rows []string
		for i := offset; i < min(n, offset+size); i++ {
			rows = append(rows, fmt.Sprintf(`{"id":"%d"}`, i))
		}
		key := ""
		if len(rows) > 0 {
			key = `,"imports":[` + strings.Join(rows, ",") + `]`
		}
		return answer(200, `{"meta":{`+paging(offset, len(rows))+`},"status":{"code":200}`+key+`}`), nil
	})}, "https://x")
}

func ids(c *Client) (all []string, err error) {
	for i, err := range c.Imports(context.Background(), ModelRef{"w", "m"}) {
		if err != nil {
			return all, err
		}
		all = append(all, i.ID)
	}
	return all, nil
}

func numbers(n int) (all []string) {
	for i := range n {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// Any list comes whole and once, however small the pages are.
func TestPaging(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "rows")
		size := rapid.IntRange(1, 70).Draw(t, "page")
		var asked []string
		c := listing(n, size, func(offset, rows int) string {
			// A false link to a next page, always (anaplan-api.md 4.4).
			return fmt.Sprintf(`"paging":{"currentPageSize":%d,"offset":%d,"totalSize":%d,"next":"https://x?limit=20&offset=20"}`, rows, offset, n)
		}, &asked)
		got, err := ids(c)
		if err != nil || !slices.Equal(got, numbers(n)) {
			t.Fatalf("%v, %v", got, err)
		}
		if want := max(1, (n+size-1)/size); len(asked) != want {
			t.Fatalf("%d requests, want %d", len(asked), want)
		}
	})
}

func TestPagingThatIsNotAsItShouldBe(t *testing.T) {
	none := func(int, int) string { return "" }
	total := func(n int) func(int, int) string {
		return func(int, int) string { return fmt.Sprintf(`"paging":{"totalSize":%d}`, n) }
	}
	for _, tt := range []struct {
		name          string
		n, size       int
		paging        func(int, int) string
		want, request int
	}{
		{"no paging", 7, 5000, none, 7, 1},
		{"no paging, and more than one page", 7000, 5000, none, 7000, 2},
		{"no paging, exactly one page", 5000, 5000, none, 5000, 2},
		{"empty, and no paging", 0, 5000, none, 0, 1},
		{"a total of null", 7, 5000, func(int, int) string { return `"paging":{"totalSize":null}` }, 7, 1},
		{"a total of nothing", 7, 5, total(0), 5, 1},
		{"a total that is too large", 7, 5, total(9), 7, 3},
		{"a total that is too small", 7, 5, total(3), 5, 1},
	} {
		var asked []string
		got, err := ids(listing(tt.n, tt.size, tt.paging, &asked))
		if err != nil || len(got) != tt.want || len(asked) != tt.request {
			t.Errorf("%s: %d rows in %d requests, %v", tt.name, len(got), len(asked), err)
		}
		if asked[0] != "limit=5000&offset=0" {
			t.Errorf("%s: asked %s", tt.name, asked[0])
		}
	}
}

// A service that ignores the offset gives the first page again and again.
func TestTheSamePageAgainIsAnError(t *testing.T) {
	asked := 0
	c := New(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		if asked++; asked > 5 {
			return nil, errors.New("it goes on for ever")
		}
		return answer(200, `{"meta":{"paging":{"totalSize":9}},"imports":[{"id":"1"},{"id":"2"}]}`), nil
	})}, "https://x")
	got, err := ids(c)
	if e, ok := errors.AsType[*FormatError](err); !ok || !errors.Is(err, errSamePage) || e.Path != "/workspaces/w/models/m/imports" || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAListCanBeLeft(t *testing.T) {
	var asked []string
	c := listing(10, 2, func(int, int) string { return `"paging":{"totalSize":10}` }, &asked)
	for range c.Imports(t.Context(), ModelRef{"w", "m"}) {
		break
	}
	if len(asked) != 1 {
		t.Errorf("%d requests", len(asked))
	}
}

func TestAnswersThatAreNotWhatWasExpected(t *testing.T) {
	for _, tt := range []struct{ body, says string }{
		{"<html>maintenance</html>", "it begins with \"<html>maintenance</html>\""},
		{`{"imports":{"id":"1"}}`, "imports: "},
		{`{"imports":[{"id":1}]}`, "imports: "},
		{`[]`, "array"},
		{`{"meta":[]}`, "array"},
	} {
		c := New(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return answer(200, tt.body), nil })}, "https://x")
		got, err := ids(c)
		if e, ok := errors.AsType[*FormatError](err); !ok || !strings.Contains(err.Error(), tt.says) || got != nil || e.Method != "GET" {
			t.Errorf("%s: %v, %v", tt.body, got, err)
		}
	}
	// Absent, null and empty are all the same: no rows.
	for _, body := range []string{"", " ", "null", "{}", `{"imports":null}`, `{"imports":[]}`, `{"meta":{"paging":{"totalSize":0}}}`} {
		c := New(&http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return answer(200, body), nil })}, "https://x")
		if got, err := ids(c); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", body, got, err)
		}
	}
}

func FuzzPage(f *testing.F) {
	for _, s := range []string{
		`{"meta":{"paging":{"totalSize":2,"next":"x"}},"imports":[{"id":"1","name":"a"},{"id":"2","importDataSource":{"type":"FILE"}}]}`,
		`{}`, ``, `null`, `{"imports":[null]}`, `{"imports":{}}`, `{"meta":{"paging":{"totalSize":-1}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodePage[Import](data, "imports")
		if err != nil && (p.items != nil || p.raw != nil || p.total != 0) {
			t.Errorf("%+v with %v", p, err)
		}
		for _, i := range p.items {
			if file := i.File(); file != "" && !strings.HasPrefix(file, "113") {
				t.Errorf("%s is no upload target", file)
			}
		}
		if _, err := decodeAction(data); err == nil && !strings.Contains(string(data), "{") {
			t.Errorf("an action was read from %q", data)
		}
	})
}
