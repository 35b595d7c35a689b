package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
)

// Placing is what a delivery was about to do under the name of a target of which previous
// ones are kept. A further delivery to that target, of this process or of one after its
// death, is told by it what it finds there: the file of before, not kept yet or kept, or
// what the delivery itself had put in its place, which is none to be kept.
type Placing struct {
	Name     string
	Previous string // version of what was in place; empty: nothing was, or it is unknown
	First    string // likewise of NAME.1
	Kept     bool   // what was in place needed not be kept
	Stored   string // size and digest of what was to take the place, as it is stored
}

// settled says whether the file under a name, which is now so, need not be kept, as the
// delivery before had it in mind.
func (p *Placing) settled(ctx context.Context, s Store, now Entry) (bool, error) {
	if now.Version == "" || now.Version != p.Previous { // it was replaced, by that delivery or by somebody else
		return stores(ctx, s, now, p.Stored)
	}
	if p.Kept {
		return true, nil
	}
	first, ok, err := entryIn(ctx, s, numbered(now.Name, 1))
	return ok && first.Version != p.First, err
}

// stores says whether a file holds these bytes.
func stores(ctx context.Context, s Store, now Entry, stored string) (_ bool, err error) {
	if now.Size >= 0 && !strings.HasPrefix(stored, sized(now.Size)) {
		return false, nil
	}
	r, _, err := s.Open(ctx, now.Name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var sum storedSum
	if _, err := io.Copy(&sum, r); err != nil {
		return false, err
	}
	return sum.String() == stored, ctx.Err()
}

// storedSum is the size and digest of a file as it is stored.
type storedSum struct {
	size   int64
	digest xxh3.Hasher
}

func (s *storedSum) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.digest.Write(p)
}

func (s *storedSum) String() string {
	sum := s.digest.Sum128().Bytes()
	return sized(s.size) + fmt.Sprintf("%x", sum)
}

func sized(n int64) string { return fmt.Sprintf("%d-", n) }

// placing looks at what is in place, before anything is done there.
func (o *outlet) placing(ctx context.Context) (*Placing, error) {
	p := &Placing{Name: o.Name, Stored: o.sum.String()}
	now, ok, err := entryIn(ctx, o.store, o.Name)
	if err != nil || !ok {
		return p, err
	}
	first, _, err := entryIn(ctx, o.store, numbered(o.Name, 1))
	if err != nil {
		return nil, err
	}
	p.Previous, p.First = now.Version, first.Version
	if o.Before != nil {
		p.Kept, err = o.Before.settled(ctx, o.store, now)
	}
	return p, err
}

// keep sees to it that the file under a name is also there as NAME.1, and those before it
// one number further, up to NAME.(n+1). Until [forget] nothing is gone, whenever it ends:
// the file stays where it is all the time, and a call after one that did not come to its
// end goes on where that stopped. What need not be kept is left.
func keep(ctx context.Context, s Store, name string, p *Placing, n int) error {
	now, ok, err := entryIn(ctx, s, name)
	if err != nil || !ok {
		return err
	}
	if settled, err := p.settled(ctx, s, now); err != nil || settled {
		return err
	}
	gap := 0 // the lowest number that is free
	for i := 1; i <= n+1 && gap == 0; i++ {
		old, ok, err := entryIn(ctx, s, numbered(name, i))
		switch {
		case err != nil:
			return err
		case !ok:
			gap = i
		case i == 1 && now.Version != "" && old.Version == now.Version && old.Size == now.Size:
			return nil // an earlier call came this far
		}
	}
	if gap == 0 {
		if err := s.Remove(ctx, numbered(name, n+1)); err != nil {
			return err
		}
		gap = n + 1
	}
	for i := gap - 1; i >= 1; i-- {
		if err := s.Move(ctx, numbered(name, i), numbered(name, i+1)); err != nil {
			return err
		}
	}
	if c, ok := s.(Copier); ok {
		return c.Copy(ctx, name, numbered(name, 1))
	}
	_, err = copyBetween(ctx, s, name, s, numbered(name, 1))
	return err
}

// forget removes the file that is one too old.
func forget(ctx context.Context, s Store, name string, n int) error {
	if err := s.Remove(ctx, numbered(name, n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func numbered(name string, i int) string { return fmt.Sprintf("%s.%d", name, i) }

// entryIn says whether a file is there. Its name is no pattern, whatever it holds.
func entryIn(ctx context.Context, s Store, name string) (Entry, bool, error) {
	if Remote(name) {
		r, e, err := s.Open(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return Entry{}, false, nil
		}
		if err != nil {
			return Entry{}, false, err
		}
		return e, true, r.Close()
	}
	all, err := s.List(ctx, name) // that it is there is seen of one that cannot be read, too
	for _, e := range all {
		if e.Name == name {
			return e, true, err
		}
	}
	return Entry{}, false, err
}

// Copy gives a file a second name. It has the same time, and, where the file system can,
// is the same file, which nobody writes any more: files are replaced here, not written
// over.
func (l Local) Copy(ctx context.Context, from, to string) error {
	real, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(real, to) == nil {
		syncFolder(to)
		return nil
	}
	if _, err := copyBetween(ctx, l, real, l, to); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// marker is what a done marker says.
type marker struct {
	Files   []string  `json:"files"`
	Bytes   int64     `json:"bytes"`
	Rows    *int64    `json:"rows"` // null: not counted
	Digest  string    `json:"digest"`
	Written time.Time `json:"written"`
}

// mark writes a done marker: one line of JSON.
func (s *Stores) mark(ctx context.Context, name string, files []string, f Facts) (err error) {
	m := marker{Bytes: f.Bytes, Digest: f.Digest, Written: time.Now().UTC()}
	for _, file := range files {
		m.Files = append(m.Files, Display(file))
	}
	if !f.Opaque {
		m.Rows = &f.Rows
	}
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	store, err := s.of(name)
	if err != nil {
		return err
	}
	w, err := store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := w.Ready(ctx); err != nil {
		return err
	}
	return w.Commit(ctx)
}

func (s *Stores) remove(ctx context.Context, name string) error {
	store, err := s.of(name)
	if err != nil {
		return err
	}
	return store.Remove(ctx, name)
}
