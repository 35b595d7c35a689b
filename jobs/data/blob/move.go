package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"gocloud.dev/blob"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// serverCopyMost is the size of an object that S3 copies in one request.
const serverCopyMost = 5 << 30

// Move copies an object and removes the old one. See [data.Store]. Where the services can,
// the copy is bound to there being no other, and both to the object not having changed.
// Between buckets, and beyond 5 GiB, the bytes come here and go back. After an error that
// does not tell whether the old one goes, the copy stays: [data.Stores.EndMove] ends it.
func (s *Store) Move(ctx context.Context, from, to string) error {
	a, b, err := s.pair(from, to)
	if err != nil {
		return err
	}
	version, err := s.copy(ctx, a, b, true)
	if err != nil {
		return err
	}
	bucket, service, err := s.open(ctx, a)
	asked := err == nil
	if asked {
		limited, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		err = bucket.DeleteWithOptions(limited, a.key, &blob.DeleteOptions{BeforeDelete: service.removeIf(version)})
	}
	if err == nil {
		return nil
	}
	// The answer may have been lost, and the library then asks again for what is gone.
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer cancel()
	now, service, e := s.attributes(rest, a)
	if isNotFound(e) {
		return nil
	}
	moving := s.explain(ctx, a, "move", err)
	if e != nil || service.attributes(now) != version || asked && !isRefusal(err) {
		return moving // the old one may still go, or is gone: the copy may be all that is left
	}
	return errors.Join(moving, s.Remove(rest, b.name))
}

// Copy copies an object. See [data.Copier].
func (s *Store) Copy(ctx context.Context, from, to string) error {
	a, b, err := s.pair(from, to)
	if err != nil {
		return err
	}
	_, err = s.copy(ctx, a, b, false)
	return err
}

func (s *Store) pair(from, to string) (a, b place, err error) {
	if a, err = s.exact(from); err == nil {
		b, err = s.exact(to)
	}
	return a, b, err
}

// copy gives the version that it copied.
func (s *Store) copy(ctx context.Context, a, b place, exclusive bool) (version string, err error) {
	attributes, service, err := s.attributes(ctx, a)
	if err != nil {
		return "", s.explain(ctx, a, "move", err)
	}
	version = service.attributes(attributes)
	if exclusive {
		switch _, _, err := s.attributes(ctx, b); {
		case err == nil:
			return "", s.failure(b, "move to", fs.ErrExist, "an object of this name is there already", nil)
		case !isNotFound(err):
			return "", s.explain(ctx, b, "move to", err)
		}
	}
	if a.home() != b.home() || attributes.Size > serverCopyMost {
		return version, s.through(ctx, a, b, version, exclusive)
	}
	bucket, _, err := s.open(ctx, a)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, copyLimit)
		defer cancel()
		err = bucket.Copy(limited, b.key, a.key, &blob.CopyOptions{BeforeCopy: service.copyIf(version, exclusive)})
	}
	if isPrecondition(err) {
		if _, _, e := s.attributes(ctx, b); e == nil && exclusive {
			return "", s.failure(b, "move to", fs.ErrExist, "an object of this name is there already", err)
		}
		return "", s.explain(ctx, a, "move", errReplaced)
	}
	return version, s.explain(ctx, a, "move", err)
}

// through copies by reading and writing.
func (s *Store) through(ctx context.Context, a, b place, version string, exclusive bool) (err error) {
	r, entry, err := s.read(ctx, a)
	if err != nil {
		return err
	}
	defer r.Close()
	if entry.Version != version {
		return s.explain(ctx, a, "move", errReplaced)
	}
	w, err := s.create(ctx, b, exclusive)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	if err := w.Ready(ctx); err != nil {
		return err
	}
	return w.Commit(ctx)
}

var _ data.Writer = (*writer)(nil)
