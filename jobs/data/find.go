package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// stdin is the name that stands for it.
const stdin = "-"

// Find says which files a source is. An *InputError: there is none, or more than one
// where the source does not say which. A *StoreError: its store cannot say.
func (s *Stores) Find(ctx context.Context, src Source) (Found, error) {
	all, err := s.list(ctx, src)
	if err != nil {
		return Found{}, err
	}
	return pick(src, all)
}

// list gives all files that a source may mean.
func (s *Stores) list(ctx context.Context, src Source) ([]Entry, error) {
	if src.Name == stdin {
		return []Entry{{Name: stdin, Size: -1}}, nil
	}
	store, err := s.of(src.Name)
	if err != nil {
		return nil, err
	}
	all, err := store.List(ctx, src.Name)
	return all, unlisted(ctx, src.Name, err)
}

// unlisted explains what a store says.
func unlisted(ctx context.Context, name string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, errPattern) {
		return &InputError{Path: Display(name), What: "it is no pattern", Next: "close the bracket, or write [[] for one"}
	}
	return inputOr(Display(name), unreadable, readable, err)
}

// inputOr explains an error, but for those that say themselves what they are about.
func inputOr(name, what, next string, err error) error {
	if e, ok := errors.AsType[*InputError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*StoreError](err); ok {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			what, err = "it is not there", fs.ErrNotExist
		case errors.Is(err, ErrChanged):
			what, next, err = changing, written, nil
		default:
			return e
		}
	}
	return &InputError{Path: name, What: what, Next: next, Err: cause(err)}
}

// pick chooses among the files that match.
func pick(src Source, all []Entry) (Found, error) {
	refuse := func(what, next string, err error) (Found, error) {
		return Found{}, &InputError{Path: Display(src.Name), What: what, Next: next, Err: err}
	}
	switch {
	case len(all) == 0 && isPattern(Display(src.Name)):
		return refuse("no file matches", "find out why none was written, or correct the pattern", fs.ErrNotExist)
	case len(all) == 0:
		return refuse("it is not there", "find out why it was not written, or correct the name", fs.ErrNotExist)
	case len(all) == 1:
		return Found{src, all}, nil
	}
	switch src.Pick {
	case "newest":
		newest := slices.MaxFunc(all, func(a, b Entry) int { return a.Modified.Compare(b.Modified) })
		var same []string
		for _, e := range all {
			if e.Modified.Equal(newest.Modified) {
				same = append(same, Display(e.Name))
			}
		}
		if len(same) > 1 {
			return refuse("no one is the newest: "+quoted(same)+" are of the same time", "move all but one away", nil)
		}
		return Found{src, []Entry{newest}}, nil
	case "all":
		return Found{src, all}, nil
	}
	names := make([]string, 0, len(all))
	for _, e := range all {
		names = append(names, Display(e.Name))
	}
	return refuse(fmt.Sprintf("%d files match: %s", len(all), quoted(names)), `move all but one away, or write pick = "newest" or "all"`, nil)
}
