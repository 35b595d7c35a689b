package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// deliver writes a text in pieces and puts it in place.
func deliver(ctx context.Context, s *Stores, targets []Target, text string, format Format, checks Checks) (Facts, []string, error) {
	d, err := s.Deliver(ctx, targets, format, checks)
	if err != nil {
		return Facts{}, nil, err
	}
	defer d.Abort()
	for len(text) > 0 {
		n := min(len(text), 7)
		if _, err := io.WriteString(d, text[:n]); err != nil {
			return Facts{}, nil, errors.Join(err, d.Abort())
		}
		text = text[n:]
	}
	facts, err := d.Finish(ctx)
	if err != nil {
		return Facts{}, nil, errors.Join(err, d.Abort())
	}
	placed, err := d.Commit(ctx)
	return facts, placed, errors.Join(err, d.Abort())
}

func TestDeliverToSeveralTargets(t *testing.T) {
	dir := t.TempDir()
	stores, mem := withMemory(nil)
	text := "a,b\n" + strings.Repeat("1,2\n", 1000)
	in := func(name string) string { return filepath.Join(dir, "new", name) }
	targets := []Target{{Name: in("x.csv"), Done: in("done")}, {Name: in("x.csv.gz")}, {Name: in("x.csv.zst")}, {Name: in("x.csv.zip")}, {Name: "mem://b/x.CSV.GZ", Done: in("done")}}
	facts, placed, err := deliver(t.Context(), stores, targets, text, csvFormat, Checks{Fields: 2})
	if err != nil || facts.Rows != 1000 || facts.Bytes != int64(len(text)) || facts.Odd != nil || time.Since(facts.Modified) > time.Hour {
		t.Fatalf("%+v, %v", facts, err)
	}
	if diff := cmp.Diff([]string{in("x.csv"), in("x.csv.gz"), in("x.csv.zst"), in("x.csv.zip"), "mem://b/x.CSV.GZ"}, placed); diff != "" {
		t.Error(diff)
	}
	// Each is a source that gives the same bytes.
	for _, target := range targets {
		got, again, err := sent(t, stores, Source{Name: target.Name}, csvFormat, Checks{})
		if err != nil || got != text || again.Digest != facts.Digest {
			t.Errorf("%s: %d bytes, %v", target.Name, len(got), err)
		}
	}
	if got, _, err := sent(t, stores, Source{Name: in("x.csv.zip"), Member: "x.csv"}, csvFormat, Checks{}); err != nil || got != text {
		t.Errorf("the archive holds no x.csv: %v", err)
	}
	if len(mem.files["mem://b/x.CSV.GZ"]) > len(text)/4 {
		t.Error("it is not compressed")
	}
	var m map[string]any
	line := readFile(t, in("done"))
	if err := json.Unmarshal([]byte(line), &m); err != nil || strings.Count(line, "\n") != 1 || m["rows"] != 1000.0 || m["bytes"] != float64(len(text)) ||
		m["digest"] != facts.Digest || len(m["files"].([]any)) != 5 || m["written"] == nil {
		t.Errorf("the marker says %s, %v", line, err)
	}
}

func TestDeliveryThatFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	writeFile(t, path, "previous")
	guarded := Checks{Header: func(h []string) error { return &GuardError{Guard: "header", What: fmt.Sprint(h)} }}
	for _, tc := range []struct {
		name   string
		text   string
		format Format
		checks Checks
		set    func(*inMemory)
		says   string
	}{
		{"nothing comes", "", csvFormat, Checks{}, nil, "it is empty"},
		{"a guard", "a,b\n1,2\n", csvFormat, guarded, nil, "guard header: [a b]"},
		{"a guard on the way", "a,b\n" + strings.Repeat("1,2\n", 100_000), csvFormat, guarded, nil, "guard header: [a b]"},
		{"half a field", "a,b\n1,\"2\n", csvFormat, Checks{}, nil, "a.csv: the text delimiter"},
		{"a full store", "a,b\n1,2\n", csvFormat, Checks{}, func(m *inMemory) { m.room = 5 }, errFull.Error()},
		{"a store that does not finish", "a,b\n1,2\n", csvFormat, Checks{}, failing("ready"), "failing ready"},
		{"a store that does not begin", "a,b\n1,2\n", csvFormat, Checks{}, failing("create"), "failing create"},
	} {
		stores, mem := withMemory(map[string]string{"mem://b/x": "previous"})
		if tc.set != nil {
			tc.set(mem)
		}
		facts, placed, err := deliver(t.Context(), stores, []Target{{Name: path}, {Name: "mem://b/x"}}, tc.text, tc.format, tc.checks)
		if err == nil || !strings.Contains(err.Error(), tc.says) || placed != nil || facts.Bytes != 0 {
			t.Errorf("%s: %+v, %v, %v", tc.name, facts, placed, err)
		}
		untouched(t, dir)
		if mem.files["mem://b/x"] != "previous" || len(mem.files) != 1 {
			t.Errorf("%s: %v", tc.name, mem.files)
		}
	}
	// What is not the text that was said is taken, where nobody asks.
	var stores Stores
	facts, _, err := deliver(t.Context(), &stores, []Target{{Name: path}}, "a,b\n1,\"2\n\x00", csvFormat, Checks{Loose: true})
	if err != nil || !facts.Opaque || facts.Bytes != 10 || readFile(t, path) != "a,b\n1,\"2\n\x00" {
		t.Errorf("%+v, %v", facts, err)
	}
	if _, _, err := deliver(t.Context(), &stores, []Target{{Name: path}, {Name: path}}, "a", csvFormat, Checks{}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%v", err)
	}
}

func failing(op string) func(*inMemory) {
	return func(m *inMemory) {
		m.fail = func(o, _ string) error {
			if o == op {
				return errors.New("failing " + op)
			}
			return nil
		}
	}
}

// A target that cannot take its place: the error says which ones have, and the markers
// are gone.
func TestDeliveryInPart(t *testing.T) {
	dir := t.TempDir()
	a, done := filepath.Join(dir, "a.csv"), filepath.Join(dir, "done")
	writeFile(t, a, "previous")
	writeFile(t, done, "old")
	stores, mem := withMemory(map[string]string{"mem://b/x": "previous"})
	failing("commit")(mem)
	_, placed, err := deliver(t.Context(), stores, []Target{{Name: a, Done: done}, {Name: "mem://b/x", Done: "mem://b/done"}}, "a\n1\n", csvFormat, Checks{})
	if err == nil || !strings.Contains(err.Error(), "failing commit; but") || !strings.Contains(err.Error(), "a.csv\" is in place already") {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff([]string{a}, placed); diff != "" || readFile(t, a) != "a\n1\n" || mem.files["mem://b/x"] != "previous" {
		t.Error(diff, mem.files)
	}
	if diff := cmp.Diff([]string{"a.csv"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	// A marker that cannot be written is an error too, and all is in place.
	mem.fail = func(op, name string) error {
		if op == "commit" && name == "mem://b/done" {
			return errors.New("failing marker")
		}
		return nil
	}
	_, placed, err = deliver(t.Context(), stores, []Target{{Name: a}, {Name: "mem://b/x", Done: "mem://b/done"}}, "a\n2\n", csvFormat, Checks{})
	if err == nil || !strings.Contains(err.Error(), "write the marker mem://b/done: failing marker; but") || len(placed) != 2 {
		t.Errorf("%v, %v", placed, err)
	}
}

func TestDeliveryIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.csv"), "previous")
	var stores Stores
	for _, finish := range []bool{false, true} {
		d, err := stores.Deliver(t.Context(), []Target{{Name: filepath.Join(dir, "a.csv"), Keep: 1, Done: filepath.Join(dir, "done")}}, csvFormat, Checks{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write([]byte("a,b\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Commit(t.Context()); err == nil {
			t.Error("half a delivery was committed")
		}
		if finish {
			if _, err := d.Finish(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(d.Abort(), d.Abort()); err != nil {
			t.Error(err)
		}
		if _, err := d.Commit(t.Context()); err == nil {
			t.Error("what was given up was committed")
		}
		if _, err := d.Write([]byte("x")); err == nil {
			t.Error("what was given up was written to")
		}
		untouched(t, dir)
	}
}

func TestPreviousOnesAreKept(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a.csv")
	stores, mem := withMemory(nil)
	for i := 1; i <= 5; i++ {
		text := fmt.Sprintf("n\n%d\n", i)
		if _, _, err := deliver(t.Context(), stores, []Target{{Name: a, Keep: 2}, {Name: "mem://b/a.csv", Keep: 2}}, text, csvFormat, Checks{}); err != nil {
			t.Fatal(err)
		}
		nights(t, a, i)
		want := map[string]string{}
		for j := 0; j <= 2 && i-j >= 1; j++ {
			name := "a.csv"
			if j > 0 {
				name = numbered(name, j)
			}
			want[name] = fmt.Sprintf("n\n%d\n", i-j)
		}
		local, remote := map[string]string{}, map[string]string{}
		for _, n := range names(t, dir) {
			local[n] = readFile(t, dir, n)
		}
		for n, text := range mem.files {
			remote[strings.TrimPrefix(n, "mem://b/")] = text
		}
		if diff := cmp.Diff(want, local); diff != "" {
			t.Errorf("after %d: %s", i, diff)
		}
		if diff := cmp.Diff(want, remote); diff != "" {
			t.Errorf("after %d: %s", i, diff)
		}
	}
}

// Wherever deliveries die, twice even, the last files that were in place are all there,
// and the next delivery goes on as if nothing had been.
func TestNothingIsLostWhileItIsKept(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for first := 0; first < 40; first++ {
			second := 40
			if first < 20 {
				second = 0
			}
			for ; second <= 40; second++ {
				if testing.Short() && (first+second)%7 > 0 {
					continue
				}
				dyingTwice(t, n, first, second)
			}
		}
	}
}

// dyingTwice delivers until n are kept, then dies after so many operations of the next two
// deliveries.
func dyingTwice(t *testing.T, n, first, second int) {
	t.Helper()
	_, mem := withMemory(nil)
	var placed []string // newest first
	for i := range n + 5 {
		text := fmt.Sprintf("n\n%d\n", i)
		dies, done := -1, 0
		switch i {
		case n + 2:
			dies = first
		case n + 3:
			dies = second
		}
		mem.fail = func(string, string) error {
			if done++; dies >= 0 && done > dies {
				return errors.New("it died")
			}
			return nil
		}
		err := replace(t.Context(), mem, "mem://b/a", n, text)
		if (err != nil) != (dies >= 0 && done > dies) {
			t.Fatalf("keep %d, dying after %d and %d: delivery %d: %v", n, first, second, i, err)
		}
		if mem.files["mem://b/a"] == text {
			placed = append([]string{text}, placed...)
		} else if err == nil {
			t.Fatal("an error got lost")
		}
		there := []string{mem.files["mem://b/a"]}
		for j := 1; j <= n+1; j++ {
			if text, ok := mem.files[numbered("mem://b/a", j)]; ok && there[len(there)-1] != text {
				there = append(there, text)
			}
		}
		want := placed[:min(len(placed), n+1)]
		if len(there) < len(want) || cmp.Diff(want, there[:len(want)]) != "" || err == nil && len(mem.files) != len(want) {
			t.Fatalf("keep %d, dying after %d and %d: after delivery %d there are %q, in place were %q", n, first, second, i, there, placed)
		}
	}
}

// replace is a delivery without the pass over its bytes.
func replace(ctx context.Context, s Store, name string, keep int, text string) error {
	w, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	o := outlet{Target: Target{Name: name, Keep: keep}, store: s, w: w}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return errors.Join(w.Ready(ctx), o.place(ctx))
}

func TestCompressedByName(t *testing.T) {
	for name, unpack := range map[string]func(io.Reader) (io.Reader, error){
		"a.csv":    func(r io.Reader) (io.Reader, error) { return r, nil },
		"a.gz.csv": func(r io.Reader) (io.Reader, error) { return r, nil },
		"a.gz":     func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"A.ZST":    func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		var b bytes.Buffer
		w, err := compressed(&b, filepath.Join("some.zip", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "text"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := unpack(&b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "text" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// nights gives the file of the nth night a time of its own: clocks of file systems stand
// still for milliseconds.
func nights(t *testing.T, path string, n int) {
	t.Helper()
	at := time.Date(2026, 11, n, 2, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// A link keeps leading to the newest file, and an old one does not change under its
// number.
func TestKeepBehindALink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "latest.csv")
	writeFile(t, filepath.Join(dir, "real.csv"), "n\n0\n")
	if err := os.Symlink("real.csv", link); err != nil {
		t.Fatal(err)
	}
	var stores Stores
	for i := 1; i < 3; i++ {
		if _, _, err := deliver(t.Context(), &stores, []Target{{Name: link, Keep: 2}}, fmt.Sprintf("n\n%d\n", i), csvFormat, Checks{}); err != nil {
			t.Fatal(err)
		}
		nights(t, link, i)
	}
	for name, want := range map[string]string{"real.csv": "n\n2\n", "latest.csv": "n\n2\n", "latest.csv.1": "n\n1\n", "latest.csv.2": "n\n0\n"} {
		if got := readFile(t, dir, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if to, err := os.Readlink(link); err != nil || to != "real.csv" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

// TestErrorsOfFilesStayErrorsOfFiles: a bare error number would be taken for the network's.
func TestErrorsOfFilesStayErrorsOfFiles(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/disk/.tmp", Err: syscall.ENOSPC}
	err := about("write the marker", "/disk/a.done", fmt.Errorf("x: %w", full))
	e, ok := errors.AsType[*fs.PathError](err)
	if want := "write the marker /disk/a.done: " + syscall.ENOSPC.Error(); !ok || e.Path != "/disk/a.done" || err.Error() != want || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v, want %s", err, want)
	}
	store := &StoreError{Doing: "write", Name: "s3://b/k", Kind: ErrDenied, Err: full}
	if err := about("write the marker", "s3://b/k", store); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
}
