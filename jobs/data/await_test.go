package data

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// later does something after a while, and is waited for.
func later(t *testing.T, after time.Duration, do func()) {
	done := make(chan struct{})
	time.AfterFunc(after, func() { defer close(done); do() })
	t.Cleanup(func() { <-done })
}

func TestAwaitALocalSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tree(t, "old.txt")
		path := filepath.Join(dir, "a.csv")
		began := time.Now()
		later(t, 60*time.Second, func() { writeFile(t, path, "a") })
		later(t, 65*time.Second, func() { writeFile(t, path, "a,b") })
		var stores Stores
		var told []string
		found, err := stores.Await(t.Context(), Source{Name: dir + "/*.csv"}, WaitFor{Limit: time.Hour}, func(s string) { told = append(told, strings.ReplaceAll(s, dir, "")) })
		// It is looked at every 2 s: as it is since 66 s, for 10 s.
		if took := time.Since(began); err != nil || len(found.Entries) != 1 || found.Entries[0].Size != 3 || took != 76*time.Second {
			t.Errorf("after %s: %+v, %v", took, found, err)
		}
		if diff := cmp.Diff([]string{"waiting for /*.csv", "waiting until /*.csv has not changed for 10s"}, told); diff != "" {
			t.Error(diff)
		}
	})
}

// With pick = "all" another file begins the ten seconds anew.
func TestAwaitAllFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tree(t, "a.csv")
		began := time.Now()
		later(t, 9*time.Second, func() { writeFile(t, filepath.Join(dir, "b.csv"), "b") })
		var stores Stores
		found, err := stores.Await(t.Context(), Source{Name: dir + "/*.csv", Pick: "all"}, WaitFor{Limit: time.Hour}, nil)
		if took := time.Since(began); err != nil || len(found.Entries) != 2 || took != 20*time.Second {
			t.Errorf("after %s: %+v, %v", took, found, err)
		}
	})
}

func TestAwaitAMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tree(t, "a.csv")
		began := time.Now()
		marker := filepath.Join(dir, "ready")
		later(t, 31*time.Second, func() { writeFile(t, marker, "") })
		var stores Stores
		found, err := stores.Await(t.Context(), Source{Name: dir + "/a.csv"}, WaitFor{Name: marker, Limit: time.Hour}, nil)
		if took := time.Since(began); err != nil || len(found.Entries) != 1 || took != 32*time.Second {
			t.Errorf("after %s: %+v, %v", took, found, err)
		}
		// Its maker says that the source is there, and it is not.
		if _, err := stores.Await(t.Context(), Source{Name: dir + "/b.csv"}, WaitFor{Name: marker, Limit: time.Hour}, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
}

func TestAwaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tree(t, "a.csv", "b.csv")
		stores, mem := withMemory(nil)
		began := time.Now()
		await := func(name string) (Found, error) {
			began = time.Now()
			return stores.Await(t.Context(), Source{Name: name}, WaitFor{Limit: 20 * time.Minute}, nil)
		}
		refused := func(what string, err error, after time.Duration, says string) {
			t.Helper()
			if _, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), says) || time.Since(began) != after {
				t.Errorf("%s: after %s: %v", what, time.Since(began), err)
			}
		}
		_, err := await(dir + "/c.csv")
		refused("the limit", err, 20*time.Minute, "after 20m0s: waiting for")
		_, err = await(dir + "/*.csv")
		refused("one of two", err, 0, "2 files match")
		_, err = await("ftp://h/x")
		refused("no such store", err, 0, "cannot be reached")
		// A store that is away may come back; one that refuses does not.
		mem.fail = func(string, string) error { return &StoreError{Doing: "list", Name: "mem://x/a", Kind: ErrAway} }
		later(t, time.Minute, func() {
			mem.mu.Lock()
			defer mem.mu.Unlock()
			mem.fail, mem.files["mem://x/a"] = nil, "x"
		})
		if found, err := await("mem://x/a"); err != nil || len(found.Entries) != 1 || time.Since(began) > 75*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		mem.fail = func(string, string) error { return &StoreError{Doing: "list", Name: "mem://x/a", Kind: ErrDenied} }
		if _, err := await("mem://x/a"); !errors.Is(err, ErrDenied) || time.Since(began) != 0 {
			t.Errorf("%v", err)
		}
		mem.fail = func(string, string) error { return &StoreError{Doing: "list", Name: "mem://x/a", Kind: ErrAway} }
		if _, err := await("mem://x/a"); !errors.Is(err, ErrAway) || time.Since(began) != 20*time.Minute {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("that is all"))
		defer cancel()
		if _, err := stores.Await(ctx, Source{Name: dir + "/c.csv"}, WaitFor{Limit: time.Hour}, nil); err == nil || err.Error() != "that is all" {
			t.Errorf("%v", err)
		}
		// Without a limit nothing is waited for.
		began = time.Now()
		_, err = stores.Await(t.Context(), Source{Name: dir + "/c.csv"}, WaitFor{Name: dir + "/ready"}, nil)
		refused("no limit", err, 0, "it is not there")
	})
}
