package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// memory is a service in memory.
type memory struct {
	mu   *sync.Mutex
	made map[string]*blob.Bucket
}

func newMemory() *Store {
	return newStore(map[string]service{"mem": memory{&sync.Mutex{}, map[string]*blob.Bucket{}}})
}

func (m memory) open(_ context.Context, u *url.URL) (*blob.Bucket, error) {
	if u.Host == "away" {
		return nil, &credentialsError{errors.New("s3cret")}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.made[u.Host]
	if b == nil {
		b = memblob.OpenBucket(nil)
		m.made[u.Host] = b
	}
	return b, nil
}

func (memory) credentials() string                  { return "none are needed" }
func (memory) unspeakable() string                  { return "" }
func (memory) listed(o *blob.ListObject) string     { return sizeAndTime(o.Size, o.ModTime) }
func (memory) attributes(a *blob.Attributes) string { return sizeAndTime(a.Size, a.ModTime) }
func (memory) reading(r *blob.Reader) string        { return sizeAndTime(r.Size(), r.ModTime()) }
func (memory) readIf(string) before                 { return nil }
func (memory) copyIf(string, bool) before           { return nil }
func (memory) removeIf(string) before               { return nil }
func (memory) stage(b *blob.Bucket, u upload) staging {
	return newStream(b, u, blob.WriterOptions{})
}

func TestSuite(t *testing.T) { suite(t, within(newMemory(), "mem://bucket"), partSize+7) }

func TestNames(t *testing.T) {
	s := New()
	for _, c := range []struct{ name, bucket, key, query string }{
		{"s3://b/k", "b", "k", ""},
		{"S3://b/in/a b%20c#d.csv", "b", "in/a b%20c#d.csv", ""},
		{"gs://b/in/a_??.csv", "b", "in/a_??.csv", ""},
		{"s3://b/a_?.csv?region=eu-west-3&endpoint=https://x.example.com:1/", "b", "a_?.csv", "region=eu-west-3&endpoint=https://x.example.com:1/"},
		{"azblob://b/k?=1", "b", "k?=1", ""},
		{"s3://b/k?a=1&b", "b", "k?a=1&b", ""},
		{"s3://b/k?a=", "b", "k", "a="},
	} {
		p, err := s.parse(c.name)
		if err != nil || p.bucket != c.bucket || p.key != c.key || p.query != c.query {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	for name, says := range map[string]string{
		"ftp://b/k":                   "begin it with",
		"data.csv":                    "begin it with",
		"s3://b":                      "write s3://BUCKET/KEY",
		"s3://b/":                     "write s3://BUCKET/KEY",
		"s3:///k":                     "names no bucket",
		"s3://b/folder/":              "names no object",
		"s3://b*/k":                   "names no bucket",
		"s3://AKIA:s3cret@b/k":        "AWS_ACCESS_KEY_ID",
		"s3://b/a/../k":               "../",
		"s3://b/a\nb":                 "control characters",
		"s3://b/k?region=%zz&s3cret=": "cannot be read",
	} {
		_, err := s.parse(name)
		e, ok := errors.AsType[*data.InputError](err)
		if !ok || !strings.Contains(e.Error()+"; "+e.Next, says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"azblob://b/100%.csv", `azblob://b/a"b`} {
		if _, err := s.Create(t.Context(), name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := s.List(t.Context(), "s3://b/a[?region=eu-west-3"); err == nil || !strings.Contains(err.Error(), "pattern") {
		t.Errorf("got %v", err)
	}
}

// TestMovesBetweenBuckets: the bytes come here and go back.
func TestMovesBetweenBuckets(t *testing.T) {
	s := newMemory()
	write(t, s, "mem://one/a.csv", pattern(partSize+3))
	want := digest(t, pattern(partSize+3))
	write(t, s, "mem://two/there.csv", strings.NewReader("x"))
	if err := s.Move(t.Context(), "mem://one/a.csv", "mem://two/there.csv"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if err := s.Move(t.Context(), "mem://one/a.csv", "mem://two/b.csv"); err != nil {
		t.Fatal(err)
	}
	if got := digest(t, strings.NewReader(content(t, s, "mem://two/b.csv"))); got != want || listed(t, s, "mem://one/*") != nil {
		t.Error("other bytes came, or the old ones stayed")
	}
}

// TestMemory: what is under way is bounded for all writers together, and one that gets no
// share goes on without.
func TestMemory(t *testing.T) {
	s := newMemory()
	held := &slow{release: make(chan struct{}), begun: make(chan int, 100)}
	s.services["mem"] = slowService{s.services["mem"].(memory), held}
	var writers []data.Writer
	for range 3 {
		w, err := s.Create(t.Context(), "mem://b/k")
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	for _, w := range writers[:2] { // two parts each are on their way; a third is being filled
		if _, err := io.Copy(w, pattern(2*partSize+1)); err != nil {
			t.Fatal(err)
		}
	}
	for range partsTogether {
		<-held.begun
	}
	done := make(chan error)
	go func() { // it has no share: its part is sent before it takes more
		_, err := io.Copy(writers[2], pattern(partSize+1))
		done <- err
	}()
	<-held.begun
	select {
	case err := <-done:
		t.Errorf("it went on: %v", err)
	default:
	}
	close(held.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, w := range writers {
		if err := errors.Join(w.Ready(t.Context()), w.Commit(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if !s.parts.TryAcquire(partsTogether) {
		t.Error("a share was not given back")
	}
	slices.Sort(held.numbers)
	if want := []int{1, 1, 1, 2, 2, 2, 3, 3}; !slices.Equal(held.numbers, want) {
		t.Errorf("the parts were %v", held.numbers)
	}
}

type slowService struct {
	memory
	*slow
}

func (s slowService) stage(*blob.Bucket, upload) staging { return s.slow }

// slow takes parts when it is released.
type slow struct {
	release chan struct{}
	begun   chan int
	mu      sync.Mutex
	numbers []int
	fails   int // this part
}

func (s *slow) parts() int64 { return 2 }
func (s *slow) part(ctx context.Context, n int, _ []byte) error {
	s.begun <- n
	select {
	case <-s.release:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers = append(s.numbers, n)
	if n == s.fails {
		return io.ErrUnexpectedEOF
	}
	return nil
}
func (s *slow) finish(context.Context) error { return nil }
func (s *slow) drop(context.Context) error   { return nil }

// TestPartsThatFail: the first failure ends the writing, and is what it ends with.
func TestPartsThatFail(t *testing.T) {
	for part := 1; part <= 3; part++ {
		s := newMemory()
		lost := &slow{release: make(chan struct{}), begun: make(chan int, 100), fails: part}
		close(lost.release)
		s.services["mem"] = slowService{s.services["mem"].(memory), lost}
		w, err := s.Create(t.Context(), "mem://b/k")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(w, pattern(2*partSize+1))
		err = w.Ready(t.Context())
		if !errors.Is(err, data.ErrAway) || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), "write mem://b/k: ") {
			t.Errorf("part %d: %v", part, err)
		}
		if again := w.Commit(t.Context()); again != err {
			t.Errorf("part %d: committed: %v", part, again)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if !s.parts.TryAcquire(partsTogether) {
			t.Error("a share was not given back")
		}
	}
}

// TestKeepsNamesThatLookLikePatterns: a target's name is none.
func TestKeepsNamesThatLookLikePatterns(t *testing.T) {
	stores := &data.Stores{Schemes: newMemory().Schemes()}
	s := stores.Schemes["mem"]
	for _, text := range []string{"n\n1\n", "n\n2\n"} {
		d, err := stores.Deliver(t.Context(), []data.Target{{Name: "mem://b/a[1].csv", Keep: 1}}, data.Format{}, data.Checks{Loose: true})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(d, text)
		if _, err := d.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := content(t, s, "mem://b/a[1].csv.1"); got != "n\n1\n" {
		t.Errorf("kept is %q", got)
	}
}
