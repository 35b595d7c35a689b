package configs

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// scheme is what makes a path a URL. One letter is a drive.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+)://`)

// buckets are the schemes of object stores.
var buckets = []string{"s3", "gs", "azblob"}

// otherSchemes are names that other programs give to what there is.
var otherSchemes = map[string]string{"s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "azblob", "az": "azblob", "abfs": "azblob", "abfss": "azblob", "wasb": "azblob", "wasbs": "azblob"}

// address is a URL in its parts, which need not be right.
type address struct {
	scheme string
	host   string // or the bucket, with what stands before an @
	path   string
	query  string
}

// parameters are the query of an object's URL. Another ? stands for any letter.
var parameters = regexp.MustCompile(`\?[A-Za-z_]\w*=[^?&]*(&[A-Za-z_]\w*=[^?&]*)*$`)

// addressOf parts a URL; false for a path of this machine.
func addressOf(v string) (address, bool) {
	m := scheme.FindStringSubmatch(v)
	if m == nil {
		return address{}, false
	}
	p := address{scheme: m[1]}
	rest := v[len(m[0]):]
	if !p.bucket() {
		rest, p.query, _ = strings.Cut(rest, "?")
	} else if q := parameters.FindStringIndex(rest); q != nil {
		rest, p.query = rest[:q[0]], rest[q[0]+1:]
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		p.host, p.path = rest[:i], rest[i:]
	} else {
		p.host = rest
	}
	return p, true
}

// Parameters are what follows the question mark of a URL: its query. They are empty for a
// path, and where a question mark belongs to an object's name.
func Parameters(name string) string {
	p, _ := addressOf(name)
	return p.query
}

func (p address) bucket() bool { return slices.Contains(buckets, p.scheme) }

// isPattern says whether a source may be more than one file. What https:// serves has no
// list.
func isPattern(v string) bool {
	p, ok := addressOf(v)
	if !ok {
		return strings.ContainsAny(v, "*?[")
	}
	return p.bucket() && strings.ContainsAny(p.path, "*?[")
}

// placeFault is what is wrong with a path or a URL for its kind, nil when nothing is. It
// is asked for texts with a ${…} too, and again when that was replaced.
func placeFault(kind textKind, v string) *fault {
	if p, ok := addressOf(v); ok {
		if f := p.fault(kind); f != nil {
			return f
		}
	} else if f := pathFault(kind, v); f != nil {
		return f
	}
	name := v
	if p, ok := addressOf(v); ok {
		name = p.path
	}
	ending := strings.ToLower(name[strings.LastIndexAny(name, `/\`)+1:])
	wanted := kind == folderText || kind == besideText
	switch folder := strings.HasSuffix(name, "/") || strings.HasSuffix(name, `\`); {
	case wanted && !folder:
		return &fault{"does not end in /: it must be a folder", fmt.Sprintf("write %q", "move:"+v+"/")}
	case wanted:
	case folder:
		return &fault{"names a folder", "write the path of a file"}
	case kind != sourceText && strings.ContainsAny(name, "*?"):
		return &fault{"holds * or ?, and must be one file", "write its name, if need be with ${run.date}"}
	case (kind == sourceText || kind == targetText) && archive.MatchString(ending):
		return &fault{fmt.Sprintf("%s is no form that is packed and unpacked here", archive.FindString(ending)), "there are .gz, .zst and .zip"}
	}
	return nil
}

var archive = regexp.MustCompile(`\.(bz2|xz|7z|rar|tar|tgz|tar\.gz|tar\.zst)$`)

// pathFault is what is wrong with a path of this machine.
func pathFault(kind textKind, v string) *fault {
	switch {
	case strings.HasPrefix(v, "query:"), strings.HasPrefix(v, "cmd:"):
		return &fault{fmt.Sprintf("%q is not available yet", v[:strings.IndexByte(v, ':')+1]), elsewhere(kind)}
	case v == "-":
		return &fault{"- (the standard streams) is not available in a job file", "write the path of a file; exec, upload and download take -"}
	case v == "~" || strings.HasPrefix(v, "~/") || strings.HasPrefix(v, `~\`):
		return &fault{"~ is not replaced by the home folder", "write ${env.HOME}" + v[1:]}
	}
	return nil
}

// elsewhere is what to do while a kind of place is not available.
func elsewhere(kind textKind) string {
	if kind == targetText {
		return "send the file after the job, and write its path here"
	}
	return "fetch the file before the job, and write its path here"
}

// fault is what is wrong with a URL.
func (p address) fault(kind textKind) *fault {
	known := p.bucket() || p.scheme == "https" || p.scheme == "http"
	low := strings.ToLower(p.scheme)
	web := kind == sourceText || kind == readText
	switch {
	case kind == calendarText:
		return &fault{p.scheme + ":// is not read here", "write the path of a file on this machine"}
	case low == "sftp" || low == "sql":
		return &fault{p.scheme + ":// is not available yet", elsewhere(kind)}
	case low == "file":
		return &fault{"file:// is not used here", "write the path as it is"}
	case !known && otherSchemes[low] != "":
		return &fault{p.scheme + ":// is no place that is known", "write " + otherSchemes[low] + "://"}
	case !known && (slices.Contains(buckets, low) || low == "https" || low == "http"):
		return &fault{p.scheme + ":// is not written in small letters", "write " + low + "://"}
	case !known && web:
		return &fault{p.scheme + ":// is no place that is known", "there are paths, https://, s3://, gs:// and azblob://"}
	case !known:
		return &fault{p.scheme + ":// is no place that is known", "there are paths, s3://, gs:// and azblob://"}
	case !p.bucket() && !web:
		return &fault{p.scheme + ":// can be read only", "there are paths, s3://, gs:// and azblob://"}
	case strings.Contains(p.host, "@") && !strings.Contains(p.host, "${"):
		return &fault{"a user or a password stands in the URL", "take it out: the machine's own login is used"}
	case p.host == "":
		return &fault{"names no " + map[bool]string{true: "bucket", false: "host"}[p.bucket()], fmt.Sprintf("write it as in %s://%s/sales.csv", p.scheme, map[bool]string{true: "BUCKET", false: "HOST"}[p.bucket()])}
	case p.scheme == "http" && !loopback(hostname(p.host)) && !strings.Contains(p.host, "${"):
		return &fault{"http:// is read in clear, by anybody on the way", "write https://"}
	case !p.bucket() && kind == sourceText && strings.Contains(p.path, "*"):
		return &fault{p.scheme + ":// has no list of files, so no patterns", "write the URL of one file"}
	case strings.Trim(p.path, "/") == "" && p.bucket() && kind != folderText && kind != besideText:
		return &fault{"names a bucket and no file in it", fmt.Sprintf("write it as in %s://%s/sales.csv", p.scheme, p.host)}
	}
	return nil
}

// shown is a path as messages repeat it: a URL without what may be secret in it.
func shown(path string) string {
	p, ok := addressOf(path)
	if !ok {
		return path
	}
	return p.scheme + "://" + p.host[strings.LastIndexByte(p.host, '@')+1:] + p.path
}

func hostname(host string) string {
	u, err := url.Parse("http://" + host)
	if err != nil {
		return host
	}
	return u.Hostname()
}

// Moved is the name that a file or object has in a folder of [After]: a path or a URL.
func Moved(folder, name string) string {
	base := func(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
	p, ok := addressOf(name)
	if !ok {
		return filepath.Join(folder, base(name))
	}
	query := ""
	if to, _ := addressOf(folder); to.query != "" {
		query = "?" + to.query
	}
	return strings.TrimSuffix(folder, query) + p.path[strings.LastIndexByte(p.path, '/')+1:] + query
}

// besides is a folder as it is written for an object: a relative one is in the object's own
// folder, as in any URL.
func besides(object address, folder string) string {
	if _, whole := addressOf(folder); whole {
		return folder
	}
	in := object.path[:strings.LastIndexByte(object.path, '/')+1]
	if strings.HasPrefix(folder, "/") {
		in = ""
	}
	folder = object.scheme + "://" + object.host + strings.TrimSuffix(path.Join("/", in, folder), "/") + "/"
	if object.query != "" {
		folder += "?" + object.query
	}
	return folder
}
