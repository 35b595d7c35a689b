package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestCreatedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "ledger.db")
	if _, err := OpenExisting(t.Context(), path); !errors.Is(err, ErrMissing) {
		t.Fatalf("got %v, want ErrMissing", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("OpenExisting made something: %v", err)
	}
	l := mustOpen(t, path)
	if !l.Created() {
		t.Error("a new ledger was not created")
	}
	if l.Where() != path {
		t.Errorf("it lies at %s, want %s", l.Where(), path)
	}
	if mustOpen(t, path).Created() {
		t.Error("it was created a second time, while open")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if mustOpen(t, path).Created() {
		t.Error("it was created a second time")
	}
	again, err := OpenExisting(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Created() {
		t.Error("OpenExisting created it")
	}
}

// TestAnEmptyFileIsNoLedger is a process that died while it made the ledger.
func TestAnEmptyFileIsNoLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenExisting(t.Context(), path); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want ErrMissing", err)
	}
	if !mustOpen(t, path).Created() {
		t.Error("it knows of no run, and does not say so")
	}
}

func TestCreatedByOneOfMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var all sync.WaitGroup
	ledgers := make([]*Ledger, 8)
	for i := range ledgers {
		all.Go(func() {
			var err error
			if ledgers[i], err = Open(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	created := 0
	for _, l := range ledgers {
		if l == nil {
			continue
		}
		if l.Created() {
			created++
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if created != 1 {
		t.Errorf("%d have created it", created)
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	l := mustOpen(t, "ledger.db")
	if !filepath.IsAbs(l.Where()) {
		t.Errorf("%s is not absolute", l.Where())
	}
	id := ledger.ID{Job: "j", Run: "r"}
	if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if _, err := l.Events(t.Context(), id, 0); err != nil {
		t.Errorf("from another folder: %v", err)
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b.db", "a#b.db", "a%20b.db", "a&mode=ro.db", "日本.db", "'\".db", "ledger", ".db", "a;b=c.db"} {
		path := filepath.Join(t.TempDir(), name)
		l := mustOpen(t, path)
		id := ledger.ID{Job: "j", Run: "r"}
		if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var file string
		if err := l.db.QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file); err != nil || file != path {
			t.Errorf("SQLite opened %q, %v; want %q", file, err, path)
		}
	}
}

func TestSettings(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "ledger.db"))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000",
		"user_version": "2", "application_id": "1095651410", "fullfsync": "1"} {
		var got string
		if err := l.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", pragma, got, err, want)
		}
	}
}

// TestMessages holds every message that a user can meet, in a golden file.
func TestMessages(t *testing.T) {
	var said []string
	dir := t.TempDir()
	says := func(name string, err error) {
		if err == nil {
			t.Errorf("%s: no error", name)
			return
		}
		if _, ok := errors.AsType[*ledger.StoreError](err); !ok {
			t.Errorf("%s: %T, want an *ledger.StoreError", name, err)
		}
		said = append(said, "# "+name, strings.ReplaceAll(filepath.ToSlash(err.Error()), filepath.ToSlash(dir), "DIR"), "")
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path(name)
	}
	refused := func(name, path string) {
		l, err := open(t.Context(), path, how{create: true, patience: 50 * time.Millisecond, network: network})
		if err == nil {
			l.Close()
		}
		says(name, err)
	}
	made := func(name string) *Ledger {
		l, err := open(t.Context(), path(name), how{create: true, patience: 50 * time.Millisecond, network: network})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	id := ledger.ID{Job: "j", Run: "r"}
	appended := func(l *Ledger) error {
		_, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0))
		return err
	}

	refused("no name", "")
	refused("a folder", dir)
	refused("not a database", write("text.db", strings.Repeat("not a database\n", 100)))
	refused("not a database, short", write("short.db", "x"))
	refused("below a file", filepath.Join(write("file", "x"), "ledger.db"))
	_, err := open(t.Context(), path("a/b/nfs.db"), how{create: true, patience: patience, network: func(at string) (string, error) {
		if at != dir {
			t.Errorf("the file system of %s was looked at, want that of %s", at, dir)
		}
		return "nfs", nil
	}})
	says("on a network file system", err)
	if _, err := os.Stat(path("a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made there: %v", err)
	}
	_, err = OpenExisting(t.Context(), path("none.db"))
	says("none there", err)

	other, err := sql.Open("sqlite", path("other.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec("CREATE TABLE contacts (name TEXT)"); err != nil {
		t.Fatal(err)
	}
	other.Close()
	before, err := os.ReadFile(path("other.db"))
	if err != nil {
		t.Fatal(err)
	}
	refused("another program's database", path("other.db"))
	if after, err := os.ReadFile(path("other.db")); err != nil || !slices.Equal(before, after) {
		t.Errorf("another program's database was changed, %v", err)
	}

	newer := made("newer.db")
	sqlExec(t, newer, "PRAGMA user_version = 3")
	newer.Close()
	refused("a newer schema", path("newer.db"))
	older := made("older.db")
	sqlExec(t, older, "PRAGMA user_version = -1")
	older.Close()
	refused("an unknown schema", path("older.db"))

	locked, locker := made("locked.db"), made("locked.db")
	tx, err := locker.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	says("locked", appended(locked))
	_, err = locked.Take(t.Context(), "k", ledger.Holder{})
	says("locked, to take a lease", err)
	_, err = locked.Holder(t.Context(), "k")
	says("locked, to look at a lease", err)
	_, err = locked.Unsettled(t.Context(), "h", "m")
	says("locked, to look for starts", err)
	says("locked, to leave a wish", locked.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, At: ledgertest.T0}))
	says("locked, to remove a run", locked.Remove(t.Context(), id))
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := appended(locked); err != nil {
		t.Errorf("after the lock was gone: %v", err)
	}

	full := made("full.db")
	sqlExec(t, full, "PRAGMA max_page_count = 1") // it becomes the present size
	big := ledgertest.Created(id, ledgertest.T0)
	body := big.Body.(ledger.RunCreated)
	body.Version = strings.Repeat("x", 1<<20)
	big.Body = body
	_, err = full.Append(t.Context(), id, 0, 0, big)
	says("disk full", err)
	if _, err := full.Events(t.Context(), id, 0); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("the disk was full, and something was kept: %v", err)
	}
	if err := appended(full); err != nil && !strings.Contains(err.Error(), "full") {
		t.Errorf("after the disk was full: %v", err)
	}

	if err := appended(full); err != nil && !errors.Is(err, ledger.ErrConflict) {
		t.Fatal(err)
	}
	much := strings.Repeat("x", 1<<20)
	_, err = full.Take(t.Context(), "k", ledger.Holder{Step: much})
	says("disk full, to take a lease", err)
	if by, err := full.Holder(t.Context(), "k"); err != nil || by != nil {
		t.Errorf("a lease that could not be taken is held by %v, %v", by, err)
	}
	says("disk full, to leave a wish", full.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, At: ledgertest.T0, By: much}))
	if w, err := full.Asked(t.Context(), id); err != nil || w != nil {
		t.Errorf("a wish that could not be left is %v, %v", w, err)
	}

	inTheWay := made("way.db")
	write("way.db.locks", "x")
	_, err = inTheWay.Take(t.Context(), "k", ledger.Holder{})
	says("a file in the place of the locks", err)
	away := made("away.db")
	away.network = func(at string) (string, error) {
		if at != path("away.db.locks") {
			t.Errorf("the file system of %s was looked at", at)
		}
		return "nfs", nil
	}
	_, err = away.Take(t.Context(), "k", ledger.Holder{})
	says("locks on a network file system", err)
	odd := made("odd.db")
	if _, err := odd.Take(t.Context(), "k", ledger.Holder{}); err != nil {
		t.Fatal(err)
	}
	sqlExec(t, odd, "UPDATE lease SET epoch = 2, holder = 'x'")
	_, err = odd.Take(t.Context(), "k", ledger.Holder{})
	says("a holder that cannot be read", err)

	refusing := made("refusing.db")
	sqlExec(t, refusing, "CREATE TRIGGER no BEFORE INSERT ON run BEGIN SELECT raise(ABORT, 'no'); END")
	says("a move that the file refuses", appended(refusing))

	damaged := made("damaged.db")
	if err := appended(damaged); err != nil {
		t.Fatal(err)
	}
	damaged.Close()
	data, err := os.ReadFile(path("damaged.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(data); i++ {
		data[i] = 0xa5
	}
	write("damaged.db", string(data))
	refused("damaged", path("damaged.db"))

	holed := made("holed.db")
	if _, err := holed.Append(t.Context(), id, 0, 0, ledgertest.Story(id)[:13]...); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(holed.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, At: ledgertest.T0})); err != nil {
		t.Fatal(err)
	}
	pages := map[string]int64{}
	for _, table := range []string{"lease", "wish", "task"} {
		var page int64
		if err := holed.db.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?`, table).Scan(&page); err != nil {
			t.Fatal(err)
		}
		pages[table] = page
	}
	holed.Close()
	if data, err = os.ReadFile(path("holed.db")); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		copy(data[(page-1)*4096:page*4096], strings.Repeat("\xa5", 4096))
	}
	write("holed.db", string(data))
	holed = made("holed.db")
	_, err = holed.Take(t.Context(), "k", ledger.Holder{})
	says("damaged, to take a lease", err)
	_, err = holed.Unsettled(t.Context(), ledgertest.Model.Host, ledgertest.Model.ID)
	says("damaged, to look for starts", err)
	_, err = holed.Tasks(t.Context(), "h", "m", "o", ledgertest.T0)
	says("damaged, to look for tasks", err)
	_, err = holed.Asked(t.Context(), id)
	says("damaged, to look for a wish", err)
	says("damaged, to leave a wish", holed.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, At: ledgertest.T0}))
	says("damaged, to remove a run", holed.Remove(t.Context(), id))

	golden(t, "messages.txt", strings.Join(said, "\n"))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestWaitingForALockEndsWithTheContext: nobody waits the whole patience after a signal.
func TestWaitingForALockEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, locker := mustOpen(t, path), mustOpen(t, path)
	tx, err := locker.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = l.Append(ctx, ledger.ID{Job: "j", Run: "r"}, 0, 0, ledgertest.Created(ledger.ID{Job: "j", Run: "r"}, ledgertest.T0))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("it took %s", took)
	}
	if _, err := l.Runs(t.Context(), ledger.Query{}); err != nil {
		t.Errorf("reading while another writes: %v", err)
	}
}

// TestInVirtualTime opens and uses a ledger inside a bubble, as tests of the engine do.
func TestInVirtualTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		id := ledger.ID{Job: "j", Run: "r"}
		begin := time.Now()
		var all sync.WaitGroup
		for n := range 5 {
			all.Go(func() {
				id := ledger.ID{Job: "j", Run: fmt.Sprint(n)}
				if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, time.Now())); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for i, e := range ledgertest.Story(id) {
			if _, err := l.Append(t.Context(), id, int64(i), 0, e); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		h, err := l.Take(t.Context(), "k", ledger.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1000 * time.Hour)
		if err := h.Check(); err != nil {
			t.Errorf("nothing expires here: %v", err)
		}
		begin = begin.Add(1000 * time.Hour)
		if took := time.Since(begin); took != time.Duration(len(ledgertest.Story(id)))*time.Hour {
			t.Errorf("the ledger let %s pass", took)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
