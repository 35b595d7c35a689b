package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// base is where a test's objects lie: URLs of keys below a folder of its own.
type base struct {
	store *Store
	home  string // s3://bucket/folder/
	query string
}

// within takes s3://bucket?parameters.
func within(store *Store, where string) base {
	home, query, _ := strings.Cut(where, "?")
	if query != "" {
		query = "?" + query
	}
	return base{store, home + "/" + strings.ToLower(rand.Text()[:10]) + "/", query}
}

func (b base) name(key string) string { return b.home + key + b.query }

func (b base) names(keys ...string) (all []string) {
	for _, k := range keys {
		all = append(all, b.name(k))
	}
	return all
}

// pattern is n bytes that differ from place to place.
func pattern(n int) io.Reader { return io.LimitReader(mathrand.NewChaCha8([32]byte{1}), int64(n)) }

func digest(t testing.TB, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func write(t testing.TB, s data.Store, name string, r io.Reader) {
	t.Helper()
	before, err := s.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := s.List(t.Context(), name); err != nil || !slices.Equal(found, before) {
		t.Fatal("it is visible before it is committed: ", found, err)
	}
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Error("after Commit: ", err)
	}
}

func content(t testing.TB, s data.Store, name string) string {
	t.Helper()
	r, _, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func listed(t testing.TB, s data.Store, name string) (names []string) {
	t.Helper()
	found, err := s.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, e.Name)
	}
	return names
}

// suite is what holds of every service. most is the size of its largest object.
func suite(t *testing.T, b base, most int) {
	s := b.store
	t.Run("bytes", func(t *testing.T) {
		for _, size := range []int{0, 1, 1 << 10, partSize, most} {
			name := b.name("out/all.bin")
			began := time.Now()
			write(t, s, name, pattern(size))
			wrote := time.Since(began)
			r, e, err := s.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			got := digest(t, r)
			r.Close()
			if want := digest(t, pattern(size)); got != want || e.Size != int64(size) || e.Name != name {
				t.Errorf("%d bytes: %+v, digest %s, want %s", size, e, got, want)
			}
			// Lists tell fractions of a second, reads not everywhere.
			found, err := s.List(t.Context(), name)
			if err != nil || len(found) != 1 || found[0].Modified.Truncate(time.Second) != e.Modified.Truncate(time.Second) {
				t.Fatalf("listed %+v, opened %+v (%v)", found, e, err)
			}
			if found[0].Modified = e.Modified; found[0] != e {
				t.Errorf("listed %+v, opened %+v", found[0], e)
			}
			t.Logf("%d bytes: written in %s, read in %s, sha256 %s", size, wrote.Round(time.Millisecond), (time.Since(began) - wrote).Round(time.Millisecond), got[:16])
		}
	})
	t.Run("versions", func(t *testing.T) {
		name := b.name("version.csv")
		var seen []string
		for _, text := range []string{"a,b\n1,2\n", "a,b\n1,3\n"} {
			write(t, s, name, strings.NewReader(text))
			found, err := s.List(t.Context(), b.name("v*.csv"))
			r, e, openErr := s.Open(t.Context(), name)
			if err != nil || openErr != nil || len(found) != 1 {
				t.Fatal(found, err, openErr)
			}
			r.Close()
			if found[0].Version != e.Version || found[0].Size != 8 || found[0].Name != name || e.Version == "" {
				t.Errorf("listed %+v, opened %+v", found[0], e)
			}
			if since := time.Since(e.Modified); since > time.Hour || since < -time.Hour || e.Modified.Truncate(time.Second) != found[0].Modified.Truncate(time.Second) {
				t.Errorf("modified %s, listed %s", e.Modified, found[0].Modified)
			}
			seen = append(seen, e.Version)
		}
		if seen[0] == seen[1] {
			t.Error("another content has the same version")
		}
	})
	t.Run("patterns", func(t *testing.T) {
		for _, key := range []string{"in/a_1.csv", "in/a_2.csv", "in/a_10.csv", "in/b 1.csv", "in/år_1.csv", "in/deep/a_3.csv", "in/deeper/a_4.csv", "in/deep/x/a_5.csv", "inn/a_6.csv"} {
			write(t, s, b.name(key), strings.NewReader(key))
		}
		for _, c := range []struct {
			pattern string
			want    []string
		}{
			{"in/a_*.csv", b.names("in/a_1.csv", "in/a_10.csv", "in/a_2.csv")},
			{"in/a_?.csv", b.names("in/a_1.csv", "in/a_2.csv")},
			{"in/a_[2-9].csv", b.names("in/a_2.csv")},
			{"in/*", b.names("in/a_1.csv", "in/a_10.csv", "in/a_2.csv", "in/b 1.csv", "in/år_1.csv")},
			{"in/deep*/a_*.csv", b.names("in/deep/a_3.csv", "in/deeper/a_4.csv")},
			{"in/*/x/*", b.names("in/deep/x/a_5.csv")},
			{"in*/a_6.csv", b.names("inn/a_6.csv")},
			{"in/b 1.csv", b.names("in/b 1.csv")},
			{"in/å*", b.names("in/år_1.csv")},
			{"in/none_*", nil},
			{"in/none.csv", nil},
			{"in", nil},
			{"nowhere/*/x", nil},
		} {
			if diff := cmp.Diff(c.want, listed(t, s, b.name(c.pattern))); diff != "" {
				t.Errorf("%s: %s", c.pattern, diff)
			}
		}
		if got := content(t, s, b.name("in/b 1.csv")); got != "in/b 1.csv" {
			t.Errorf("read %q", got)
		}
	})
	t.Run("newest", func(t *testing.T) {
		stores := &data.Stores{Schemes: s.Schemes()}
		for _, key := range []string{"new/a_1.csv", "new/a_2.csv", "new/a_3.csv"} {
			write(t, s, b.name(key), strings.NewReader(key))
		}
		// Some tell times in seconds; of two in one second none is the newest.
		want := b.name("new/a_2.csv")
		for end := time.Now().Add(5 * time.Second); ; {
			write(t, s, want, strings.NewReader("newest"))
			found, err := stores.Find(t.Context(), data.Source{Name: b.name("new/a_*.csv"), Pick: "newest"})
			if err == nil && len(found.Entries) == 1 && found.Entries[0].Name == want {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("got %+v, %v", found, err)
			}
		}
	})
	t.Run("moves", func(t *testing.T) {
		from, to := b.name("move/from.csv"), b.name("move/done/to 1.csv")
		write(t, s, from, strings.NewReader("one"))
		write(t, s, to, strings.NewReader("other"))
		if err := s.Move(t.Context(), from, to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("onto another: %v", err)
		}
		if content(t, s, from) != "one" || content(t, s, to) != "other" {
			t.Error("something was moved")
		}
		if err := s.Remove(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if err := s.Move(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, s, b.name("move/*.csv")); got != nil || content(t, s, to) != "one" {
			t.Errorf("there is still %v", got)
		}
		if err := s.Move(t.Context(), from, b.name("move/again.csv")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what is not there: %v", err)
		}
		if err := s.Copy(t.Context(), to, from); err != nil || content(t, s, from) != "one" || content(t, s, to) != "one" {
			t.Errorf("copied: %v", err)
		}
		if err := s.Remove(t.Context(), b.name("move/none.csv")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removing what is not there: %v", err)
		}
	})
	t.Run("exclusive", func(t *testing.T) {
		p, err := s.exact(b.name("exclusive.csv"))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			text string
			want error
		}{{"first", nil}, {"second", fs.ErrExist}, {"", fs.ErrExist}} {
			w, err := s.create(t.Context(), p, true)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, c.text)
			if err := errors.Join(w.Ready(t.Context()), w.Commit(t.Context())); !errors.Is(err, c.want) {
				t.Errorf("%q: %v", c.text, err)
			}
			if err := w.Abort(); err != nil {
				t.Errorf("%q: %v", c.text, err)
			}
		}
		if got := content(t, s, p.name); got != "first" {
			t.Errorf("it holds %q", got)
		}
	})
	t.Run("aborts", func(t *testing.T) {
		name := b.name("abort/kept.csv")
		write(t, s, name, strings.NewReader("before"))
		for _, size := range []int{0, 10, min(most, 2*partSize+1)} {
			for _, ready := range []bool{false, true} {
				for _, n := range []string{name, b.name("abort/new.csv")} {
					w, err := s.Create(t.Context(), n)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := io.Copy(w, pattern(size)); err != nil {
						t.Fatal(err)
					}
					if ready {
						if err := w.Ready(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					if err := errors.Join(w.Abort(), w.Abort()); err != nil {
						t.Error(err)
					}
					if err := w.Commit(t.Context()); err == nil {
						t.Error("it was committed after all")
					}
					if _, err := w.Write([]byte("x")); err == nil {
						t.Error("it takes bytes after all")
					}
				}
			}
		}
		if got := listed(t, s, b.name("abort/*")); len(got) != 1 || content(t, s, name) != "before" {
			t.Errorf("there is %v", got)
		}
		unfinished(t, b)
	})
	t.Run("stops", func(t *testing.T) {
		cause := errors.New("stopped by somebody")
		ctx, stop := context.WithCancelCause(t.Context())
		w, err := s.Create(ctx, b.name("stopped.csv"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, pattern(partSize+1)); err != nil {
			t.Fatal(err)
		}
		stop(cause)
		if err := w.Ready(t.Context()); err != cause {
			t.Errorf("got %v", err)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if got := listed(t, s, b.name("stopped*")); got != nil {
			t.Errorf("there is %v", got)
		}
		unfinished(t, b)
		if _, err := s.List(ctx, b.name("*")); err != cause {
			t.Errorf("listed: %v", err)
		}
	})
	t.Run("changes", func(t *testing.T) {
		p, err := s.exact(b.name("changing.csv"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, p.name, strings.NewReader("0123456789"))
		entry := data.Entry{Name: p.name}
		for _, at := range []int64{0, 3} {
			r, size, err := s.from(t.Context(), p, &entry, at)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if string(got) != "0123456789"[at:] || size != 10 || err != nil {
				t.Errorf("from %d on: %q of %d, %v", at, got, size, err)
			}
		}
		write(t, s, p.name, strings.NewReader("9876543210"))
		if _, _, err := s.from(t.Context(), p, &entry, 3); !errors.Is(err, data.ErrChanged) {
			t.Errorf("after it was replaced: %v", err)
		}
		if err := s.Remove(t.Context(), p.name); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.from(t.Context(), p, &entry, 3); !errors.Is(err, data.ErrChanged) {
			t.Errorf("after it was removed: %v", err)
		}
	})
}
