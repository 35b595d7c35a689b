package secret

import (
	"context"
	"fmt"
	"sync"
)

// A Cache keeps what references resolved to, for the run of a program: a command is started once, a file read once. Errors are
// not kept. Of several callers that need the same value, one fetches it and the others wait. The zero Cache is empty; it is safe
// for use from several goroutines and never written anywhere.
type Cache struct {
	mu   sync.Mutex
	kept map[place]*entry
}

// place is what a value depends on.
type place struct {
	dir string
	ref Ref
}

// entry is the value of one place. Whoever holds the turn may read and fetch it.
type entry struct {
	turn  chan struct{} // one slot
	value Value
}

// Forget makes the next use of every reference fetch it again. What is being fetched at this moment is not kept either.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = nil
}

func (c *Cache) entry(p place) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.kept[p]
	if e == nil {
		e = &entry{turn: make(chan struct{}, 1)}
		if c.kept == nil {
			c.kept = map[place]*entry{}
		}
		c.kept[p] = e
	}
	return e
}

// value returns what is kept, else what fetch returns, and keeps it.
func (c *Cache) value(ctx context.Context, p place, fetch func() (Value, error)) (Value, error) {
	e := c.entry(p)
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return Value{}, fmt.Errorf("waiting for a secret: %w", ctx.Err())
	}
	if e.value.Empty() {
		v, err := fetch()
		if err != nil {
			return Value{}, err
		}
		e.value = v
	}
	return e.value, nil
}
