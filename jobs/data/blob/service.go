package blob

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"gocloud.dev/blob"
)

// service is what the library does not make alike for all.
type service interface {
	// open reads the credentials and makes a bucket; it need not call anybody.
	open(ctx context.Context, u *url.URL) (*blob.Bucket, error)
	// credentials says where they come from.
	credentials() string
	// unspeakable are characters that the library stores otherwise than they are.
	unspeakable() string

	// Versions: the same text for the same content, wherever it is read.
	listed(*blob.ListObject) string
	attributes(*blob.Attributes) string
	reading(*blob.Reader) string

	// Conditions, as the library takes them: nil where there are none.
	readIf(version string) before
	copyIf(version string, exclusive bool) before
	removeIf(version string) before

	// stage begins an object.
	stage(b *blob.Bucket, u upload) staging
}

// before changes a request before it is sent.
type before = func(as func(any) bool) error

// upload is an object that is to be written.
type upload struct {
	place
	exclusive bool   // not in place of another
	mark      string // for the metadata
	kind      string // content type
}

// markName is the name of the mark in an object's metadata. Each service takes small letters.
const markName = "anaplanrunner"

// staging takes the parts of an object that nobody sees yet. parts says how many may be
// under way at once; with 1 they come in order. Errors are the library's.
type staging interface {
	parts() int64
	part(ctx context.Context, number int, body []byte) error // from 1 on; keeps no body
	finish(ctx context.Context) error                        // makes the object, of all parts
	drop(ctx context.Context) error                          // takes the parts back
}

// sizeAndTime is the version where there is none.
func sizeAndTime(size int64, t time.Time) string {
	return fmt.Sprintf("%d-%d", size, t.UnixNano())
}

// stream stages by a writer of the library, which sends its last part when it is closed.
type stream struct {
	w      *blob.Writer
	err    error
	cancel context.CancelFunc
}

// newStream begins one. Its context is its own: it is what an object is dropped by.
func newStream(b *blob.Bucket, u upload, options blob.WriterOptions) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	options.ContentType, options.BufferSize, options.MaxConcurrency = u.kind, partSize, 1
	options.IfNotExist = u.exclusive
	options.Metadata = map[string]string{markName: u.mark}
	w, err := b.NewWriter(ctx, u.key, &options)
	return &stream{w: w, err: err, cancel: cancel}
}

func (s *stream) parts() int64 { return 1 }

func (s *stream) part(ctx context.Context, _ int, body []byte) error {
	if s.err != nil {
		return s.err
	}
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	_, err := s.w.Write(body)
	return err
}

func (s *stream) finish(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	w := s.w
	s.w = nil
	return w.Close()
}

func (s *stream) drop(context.Context) error {
	s.cancel()
	if s.w != nil {
		_ = s.w.Close() // it says that it was cancelled
		s.w = nil
	}
	return nil
}
