package blob

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// place is where a name leads to.
type place struct {
	name   string // as it was written
	scheme string
	bucket string
	key    string // or pattern
	query  string // gocloud's parameters
}

// parameters is what follows the question mark that ends a key.
var parameters = regexp.MustCompile(`\?([A-Za-z_]\w*=[^?&]*(?:&[A-Za-z_]\w*=[^?&]*)*)$`)

// parse takes a name apart. Its error is an *data.InputError.
func (s *Store) parse(name string) (place, error) {
	p := place{name: name}
	refuse := func(what, next string) (place, error) {
		return place{}, &data.InputError{Path: data.Display(name), What: what, Next: next}
	}
	scheme, rest, _ := strings.Cut(name, "://")
	p.scheme = strings.ToLower(scheme)
	service, ok := s.services[p.scheme]
	if !ok {
		return refuse("it is no object's URL", "begin it with s3://, gs:// or azblob://")
	}
	if m := parameters.FindStringSubmatchIndex(rest); m != nil {
		rest, p.query = rest[:m[0]], rest[m[2]:m[3]]
	}
	p.bucket, p.key, _ = strings.Cut(rest, "/")
	switch {
	case strings.Contains(p.bucket, "@"):
		return refuse("credentials do not belong into the name of an object", service.credentials())
	case p.bucket == "" || strings.ContainsAny(p.bucket, "*?[] "):
		return refuse("it names no bucket", "write "+p.scheme+"://BUCKET/KEY")
	case p.key == "" || strings.HasSuffix(p.key, "/"):
		return refuse("it names no object", "write "+p.scheme+"://BUCKET/KEY")
	case strings.ContainsFunc(p.key, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.Contains(p.key, "../"):
		return refuse("its name holds what object stores do not take", "leave out ../ and control characters")
	}
	if _, err := url.ParseQuery(p.query); err != nil {
		return refuse("what follows the question mark cannot be read", "write it as NAME=VALUE&NAME=VALUE, with % before special characters' codes")
	}
	return p, nil
}

// exact is parse for the name of one object, which is not a pattern.
func (s *Store) exact(name string) (place, error) {
	p, err := s.parse(name)
	if err != nil {
		return p, err
	}
	if bad := s.services[p.scheme].unspeakable(); strings.ContainsAny(p.key, bad) {
		return p, &data.InputError{Path: data.Display(name), What: "this store's library cannot name objects with one of " + bad, Next: "give the object another name"}
	}
	return p, nil
}

// at is the place of another key of the same bucket.
func (p place) at(key string) place {
	p.key, p.name = key, p.scheme+"://"+p.bucket+"/"+key
	if p.query != "" {
		p.name += "?" + p.query
	}
	return p
}

// home is what names of the same bucket have in common.
func (p place) home() string { return p.scheme + "://" + p.bucket + "?" + p.query }

func (p place) display() string { return p.scheme + "://" + p.bucket + "/" + p.key }
