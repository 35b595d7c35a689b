package data

import (
	"context"
	"fmt"
)

func (s *Stores) find(ctx context.Context, src Source) (Found, error) {
	store, err := s.of(src.Name)
	if err != nil {
		return Found{}, err
	}
	all, err := store.List(ctx, src.Name)
	if err != nil {
		return Found{}, err
	}
	if len(all) != 1 {
		return Found{}, &InputError{Path: Display(src.Name), What: fmt.Sprintf("%d files match", len(all)), Next: "give the path of a file"}
	}
	return Found{Source: src, Entries: all}, nil
}
