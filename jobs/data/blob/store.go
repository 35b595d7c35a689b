package blob

import (
	"context"
	"io"
	"net/url"
	"sync"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/semaphore"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// Limits of what has no other.
const (
	answerLimit = 2 * time.Minute // for an answer without content
	partLimit   = 5 * time.Minute // for a part, with the tries of the services' libraries
	copyLimit   = time.Hour       // for a copy that the service makes
)

// tries is how often a request is made, with growing waits, that may be made again.
const tries = 5

// Store is a [data.Store] of objects. Make it with New.
type Store struct {
	services map[string]service
	parts    *semaphore.Weighted // parts that are on their way

	mu      sync.Mutex
	buckets map[string]*opened
}

var (
	_ data.Store  = (*Store)(nil)
	_ data.Copier = (*Store)(nil)
)

// opened is a bucket that is opened once.
type opened struct {
	mu     sync.Mutex
	bucket *blob.Bucket
}

// New makes a store of the schemes s3, gs and azblob. It reads nothing and calls nobody.
func New() *Store {
	return newStore(map[string]service{"s3": s3Service{tries}, "gs": gcsService{}, "azblob": azureService{}})
}

func newStore(services map[string]service) *Store {
	return &Store{services: services, parts: semaphore.NewWeighted(partsTogether), buckets: map[string]*opened{}}
}

// Schemes are those that the store knows, all of which it serves.
func (s *Store) Schemes() map[string]data.Store {
	all := map[string]data.Store{}
	for scheme := range s.services {
		all[scheme] = s
	}
	return all
}

// open gives the bucket of a place.
func (s *Store) open(ctx context.Context, p place) (*blob.Bucket, service, error) {
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	s.mu.Lock()
	o := s.buckets[p.home()]
	if o == nil {
		o = &opened{}
		s.buckets[p.home()] = o
	}
	s.mu.Unlock()
	service := s.services[p.scheme]
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bucket == nil {
		// The tokens of the credentials are asked for in this context, later too.
		bucket, err := service.open(context.WithoutCancel(ctx), &url.URL{Scheme: p.scheme, Host: p.bucket, RawQuery: p.query})
		if err != nil {
			return nil, nil, err
		}
		o.bucket = bucket
	}
	return o.bucket, service, nil
}

// Open reads an object. See [data.Store].
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, data.Entry, error) {
	p, err := s.exact(name)
	if err != nil {
		return nil, data.Entry{}, err
	}
	return s.read(ctx, p)
}

func (s *Store) read(ctx context.Context, p place) (io.ReadCloser, data.Entry, error) {
	entry := data.Entry{Name: p.name, Size: -1}
	body, err := data.OpenContinued(ctx, func(ctx context.Context, at int64) (io.ReadCloser, int64, error) {
		return s.from(ctx, p, &entry, at)
	}, func(kind error, why string, err error) error { return s.failure(p, "read", kind, why, err) })
	return body, entry, err
}

// from reads from a place on what the entry says; the first time the entry is filled.
func (s *Store) from(ctx context.Context, p place, entry *data.Entry, at int64) (io.ReadCloser, int64, error) {
	bucket, service, err := s.open(ctx, p)
	if err != nil {
		return nil, 0, s.explain(ctx, p, "read", err)
	}
	r, err := bucket.NewRangeReader(asStored(ctx), p.key, at, -1, &blob.ReaderOptions{BeforeRead: service.readIf(entry.Version)})
	if entry.Version != "" && isNotFound(err) {
		err = errReplaced
	}
	if err != nil {
		return nil, 0, s.explain(ctx, p, "read", err)
	}
	version := service.reading(r)
	if entry.Version != "" && version != entry.Version {
		_ = r.Close()
		return nil, 0, s.explain(ctx, p, "read", errReplaced)
	}
	entry.Version, entry.Modified, entry.Size = version, r.ModTime().UTC(), r.Size()
	return r, r.Size(), nil
}

// Remove removes an object. See [data.Store].
func (s *Store) Remove(ctx context.Context, name string) error {
	p, err := s.exact(name)
	if err != nil {
		return err
	}
	bucket, _, err := s.open(ctx, p)
	if err == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerLimit)
		defer cancel()
		err = bucket.Delete(ctx, p.key)
	}
	return s.explain(ctx, p, "remove", err)
}
