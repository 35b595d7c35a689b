package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestADeliveryMadeAgainKeepsWhatWasBefore: where the first one failed in part, the second
// does not keep what the first one put in place, nor again what it kept.
func TestADeliveryMadeAgainKeepsWhatWasBefore(t *testing.T) {
	a := filepath.Join(t.TempDir(), "a.csv")
	const b, c = "mem://b/b[1.csv", "mem://b/c.csv"
	stores, mem := withMemory(map[string]string{b: "yesterday", numbered(b, 1): "before", c: "yesterday", numbered(c, 1): "before"})
	writeFile(t, a, "yesterday")
	before := map[string]*Placing{}
	for i, says := range []string{"failing commit", ""} {
		if mem.fail = nil; says != "" {
			mem.fail = func(op, name string) error {
				if op == "commit" && name == c {
					return errors.New(says)
				}
				return nil
			}
		}
		targets := []Target{{Name: a, Keep: 1}, {Name: b, Keep: 2}, {Name: c, Keep: 2}}
		for i := range targets {
			targets[i].Before = before[targets[i].Name]
		}
		d, err := stores.Deliver(t.Context(), targets, csvFormat, Checks{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(d, fmt.Sprintf("n\n%d\n", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		placings, err := d.Placing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range placings {
			before[p.Name] = &p
		}
		if _, err := d.Commit(t.Context()); (err == nil) != (says == "") {
			t.Fatal(err)
		}
		if i == 0 { // an object's copy has another version than the object
			mem.files[numbered(c, 1)] = "yesterday, copied"
		}
	}
	want := map[string]string{b: "n\n1\n", numbered(b, 1): "yesterday", numbered(b, 2): "before",
		c: "n\n1\n", numbered(c, 1): "yesterday, copied", numbered(c, 2): "before"}
	if diff := cmp.Diff(want, mem.files); diff != "" {
		t.Error(diff)
	}
	if readFile(t, a) != "n\n1\n" || readFile(t, numbered(a, 1)) != "yesterday" {
		t.Errorf("%q and %q", readFile(t, a), readFile(t, numbered(a, 1)))
	}
	// What another has put in place meanwhile is kept.
	mem.files[b] = "of another"
	if _, _, err := deliver(t.Context(), stores, []Target{{Name: b, Keep: 2, Before: before[b]}}, "n\n2\n", csvFormat, Checks{}); err != nil || mem.files[numbered(b, 1)] != "of another" {
		t.Errorf("%q, %v", mem.files, err)
	}
}

// TestWhatIsInPlaceIsToldWhenTheOldestStays: it was replaced, and the error does not say
// that nothing was.
func TestWhatIsInPlaceIsToldWhenTheOldestStays(t *testing.T) {
	const a = "mem://b/a.csv"
	stores, mem := withMemory(map[string]string{a: "yesterday", numbered(a, 1): "before"})
	failing("remove")(mem)
	_, placed, err := deliver(t.Context(), stores, []Target{{Name: a, Keep: 1}}, "n\n1\n", csvFormat, Checks{})
	if err == nil || mem.files[a] != "n\n1\n" || len(placed) != 1 {
		t.Errorf("placed %v, %v", placed, err)
	}
}

// mortal is a store as a process sees it that dies at one of its operations, before or after
// that took effect. What is written anew has another version, though it holds the same, as an
// object's copy has.
type mortal struct {
	*inMemory
	written map[string]int // by name: the how manieth it is of all that were written
	writes  int
	count   int
	dies    int // at this operation; 0: never
	after   bool
}

var errDied = errors.New("it died")

func (m *mortal) do(op func() error) error {
	m.count++
	switch {
	case m.dies == 0 || m.count < m.dies:
		return op()
	case m.count == m.dies && m.after:
		_ = op()
	}
	return errDied
}

func (m *mortal) wrote(name string) {
	m.writes++
	m.written[name] = m.writes
}

func (m *mortal) version(e Entry) Entry {
	e.Version = fmt.Sprint(m.written[e.Name])
	return e
}

func (m *mortal) Open(ctx context.Context, name string) (r io.ReadCloser, e Entry, err error) {
	err = m.do(func() error { r, e, err = m.inMemory.Open(ctx, name); return err })
	return r, m.version(e), err
}

func (m *mortal) Move(ctx context.Context, from, to string) error {
	return m.do(func() error {
		err := m.inMemory.Move(ctx, from, to)
		if err == nil {
			m.wrote(to)
		}
		return err
	})
}

func (m *mortal) Remove(ctx context.Context, name string) error {
	return m.do(func() error { return m.inMemory.Remove(ctx, name) })
}

func (m *mortal) Create(ctx context.Context, name string) (Writer, error) {
	w, err := m.inMemory.Create(ctx, name)
	return mortalWriter{w, m, name}, err
}

type mortalWriter struct {
	Writer
	store *mortal
	name  string
}

func (w mortalWriter) Commit(ctx context.Context) error {
	return w.store.do(func() error {
		err := w.Writer.Commit(ctx)
		if err == nil {
			w.store.wrote(w.name)
		}
		return err
	})
}

// TestADeliveryOfADeadProcessIsMadeAgain: wherever two processes die, one after the other,
// the third comes to what one would have come to alone. The second has other bytes than the
// first, as after an export that was run again.
func TestADeliveryOfADeadProcessIsMadeAgain(t *testing.T) {
	const a, longest = "mem://b/a.csv", 18
	points := 0
	for keep := 1; keep <= 2; keep++ {
		for first := 1; first <= 2*longest; first++ {
			for second := first % 3; second <= 2*longest; second += 3 {
				stores, mem := withMemory(map[string]string{a: "yesterday"})
				want := map[string]string{a: "n\n3\n", numbered(a, 1): "yesterday"}
				for i, text := range []string{"a day before", "two days before"}[:keep] {
					if mem.files[numbered(a, i+1)] = text; i+2 <= keep {
						want[numbered(a, i+2)] = text
					}
				}
				m := &mortal{inMemory: mem, written: map[string]int{}}
				stores.Schemes["mem"] = m
				var before *Placing
				for i, dies := range []int{first, second, 0} {
					m.count, m.dies, m.after = 0, (dies+1)/2, dies%2 == 0
					d, err := stores.Deliver(t.Context(), []Target{{Name: a, Keep: keep, Before: before}}, csvFormat, Checks{})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := fmt.Fprintf(d, "n\n%d\n", i+1); err != nil {
						t.Fatal(err)
					}
					if _, err := d.Finish(t.Context()); err != nil {
						t.Fatal(err)
					}
					placings, err := d.Placing(t.Context())
					if err == nil {
						before = &placings[0]
						_, err = d.Commit(t.Context())
					}
					if err != nil && dies == 0 {
						t.Fatal(err)
					}
					if i == 0 && m.count > longest {
						t.Fatalf("%d operations", m.count)
					}
				}
				points++
				if diff := cmp.Diff(want, mem.files); diff != "" {
					t.Fatalf("keep %d, dying at %d and %d (-want +got):\n%s", keep, first, second, diff)
				}
			}
		}
	}
	t.Logf("%d points", points)
}
