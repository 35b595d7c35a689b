package blob

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// List gives the objects that match. See [data.Store]. Only the folders that a pattern can
// mean are listed.
func (s *Store) List(ctx context.Context, name string) ([]data.Entry, error) {
	p, err := s.parse(name)
	if err != nil {
		return nil, err
	}
	bucket, service, err := s.open(ctx, p)
	if err != nil {
		return nil, s.explain(ctx, p, "list", err)
	}
	if !strings.ContainsAny(p.key, `*?[`) {
		return s.one(ctx, p)
	}
	if _, err := path.Match(p.key, ""); err != nil {
		return nil, &data.InputError{Path: p.display(), What: "it is no pattern: a [ is not closed", Next: `write \[ for a [ itself`}
	}
	l := lister{bucket: bucket, service: service, place: p}
	if err := l.walk(ctx, "", strings.Split(p.key, "/")); err != nil {
		return nil, s.explain(ctx, p, "list", err)
	}
	slices.SortFunc(l.found, func(a, b data.Entry) int { return strings.Compare(a.Name, b.Name) })
	return l.found, nil
}

// one lists a single object, or none.
func (s *Store) one(ctx context.Context, p place) ([]data.Entry, error) {
	a, service, err := s.attributes(ctx, p)
	if err != nil {
		if isNotFound(err) && !isNoBucket(err) {
			return nil, nil
		}
		return nil, s.explain(ctx, p, "look for", err)
	}
	return []data.Entry{{Name: p.name, Size: a.Size, Modified: a.ModTime.UTC(), Version: service.attributes(a)}}, nil
}

func (s *Store) attributes(ctx context.Context, p place) (*blob.Attributes, service, error) {
	bucket, service, err := s.open(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	a, err := bucket.Attributes(ctx, p.key)
	return a, service, err
}

type lister struct {
	bucket  *blob.Bucket
	service service
	place   place
	found   []data.Entry
}

// walk finds what matches the elements below a folder, which ends with a slash or is empty.
func (l *lister) walk(ctx context.Context, folder string, elements []string) error {
	for len(elements) > 1 && !strings.ContainsAny(elements[0], `*?[\`) {
		folder, elements = folder+elements[0]+"/", elements[1:]
	}
	pattern := elements[0]
	prefix := pattern
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		prefix = pattern[:i]
	}
	var folders []string
	each := func(o *blob.ListObject) {
		element := strings.TrimSuffix(strings.TrimPrefix(o.Key, folder), "/")
		if ok, err := path.Match(pattern, element); !ok || err != nil {
			return
		}
		switch {
		case o.IsDir != (len(elements) > 1) || strings.HasSuffix(o.Key, "/") != o.IsDir:
		case o.IsDir:
			folders = append(folders, o.Key)
		default:
			l.found = append(l.found, data.Entry{Name: l.place.at(o.Key).name, Size: o.Size, Modified: o.ModTime.UTC(), Version: l.service.listed(o)})
		}
	}
	if err := l.pages(ctx, folder+prefix, each); err != nil {
		return err
	}
	for _, f := range folders {
		if err := l.walk(ctx, f, elements[1:]); err != nil {
			return err
		}
	}
	return nil
}

// pages calls each with all objects and folders that begin so, of this folder alone.
func (l *lister) pages(ctx context.Context, prefix string, each func(*blob.ListObject)) error {
	token := blob.FirstPageToken
	for {
		page, cancel := context.WithTimeout(ctx, answerLimit)
		objects, next, err := l.bucket.ListPage(page, token, 1000, &blob.ListOptions{Prefix: prefix, Delimiter: "/"})
		cancel()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for _, o := range objects {
			each(o)
		}
		if len(next) == 0 || err != nil {
			return nil
		}
		token = next
	}
}
