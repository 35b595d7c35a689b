package simulator

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// A Fault disturbs requests that match it. Its parts combine: a delay comes first, then the rest.
type Fault struct {
	// Method and Path (a regular expression found anywhere in the path) choose requests; empty is any.
	Method string `toml:"method"`
	Path   string `toml:"path"`
	// Nth is the first matching request that is hit, from 1 (0 is 1); Count how many are hit from
	// there on: 0 is one, -1 all.
	Nth   int `toml:"nth"`
	Count int `toml:"count"`

	// Status is answered instead, and the request has no effect. Body: "json" (default), "html", "empty", or
	// "no_rows": a list with nothing in it.
	Status     int    `toml:"status"`
	Body       string `toml:"body"`
	RetryAfter string `toml:"retry_after"`
	// Delay passes before anything else happens.
	Delay time.Duration `toml:"delay"`
	// Drop ends the connection: "before" the request has its effect, or "after".
	Drop string `toml:"drop"`
	// After lets a request that was dropped "after" take effect so much later.
	After time.Duration `toml:"after"`
	// Truncate sends the answer's true length, half of its bytes, and ends the connection.
	Truncate bool `toml:"truncate"`
	// ExpireToken expires the token that the request carries, before it is looked at.
	ExpireToken bool `toml:"expire_token"`
	// Took makes Status be answered after the request had its effect, as a gateway would.
	Took bool `toml:"took_effect"`

	seen, fired int
	path        *regexp.Regexp
}

// LoadFaults reads a script of [[fault]] tables. The error names every fault that is wrong.
func LoadFaults(r io.Reader) ([]Fault, error) {
	var script struct {
		Faults []Fault `toml:"fault"`
	}
	meta, err := toml.NewDecoder(r).Decode(&script)
	if err != nil {
		return nil, fmt.Errorf("reading faults: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("reading faults: unknown key %q", unknown[0].String())
	}
	if err := checkFaults(script.Faults); err != nil {
		return nil, fmt.Errorf("reading faults: %w", err)
	}
	return script.Faults, nil
}

func checkFaults(faults []Fault) error {
	var errs []error
	for i := range faults {
		if err := faults[i].check(); err != nil {
			errs = append(errs, fmt.Errorf("fault %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (f *Fault) check() error {
	re, err := regexp.Compile(f.Path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	f.path = re
	switch {
	case f.Nth < 0 || f.Count < -1:
		return errors.New("nth must not be negative, and count not less than -1")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d is not between 200 and 599", f.Status)
	case f.Body != "" && f.Body != "json" && f.Body != "html" && f.Body != "empty" && f.Body != "no_rows":
		return fmt.Errorf("body %q is none of json, html, empty, no_rows", f.Body)
	case f.Drop != "" && f.Drop != "before" && f.Drop != "after":
		return fmt.Errorf("drop %q is neither before nor after", f.Drop)
	case f.After != 0 && f.Drop != "after":
		return errors.New(`after needs drop = "after"`)
	case f.After < 0 || f.Delay < 0:
		return errors.New("delay and after must not be negative")
	case f.Status == 0 && (f.Body != "" || f.RetryAfter != "" || f.Took):
		return errors.New("body, retry_after and took_effect need status")
	case f.Status == 0 && f.Delay == 0 && f.Drop == "" && !f.Truncate && !f.ExpireToken:
		return errors.New("no effect: give status, delay, drop, truncate or expire_token")
	}
	return nil
}

// hits counts the request if it matches, and says whether this one is disturbed.
func (f *Fault) hits(method, path string) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, method) || !f.path.MatchString(path) {
		return false
	}
	f.seen++
	first, last := max(f.Nth, 1), max(f.Nth, 1)+max(f.Count, 1)-1
	if f.seen < first || f.Count != -1 && f.seen > last {
		return false
	}
	f.fired++
	return true
}

// unfired says whether fewer requests were hit than the script asks for.
func (f *Fault) unfired() bool { return f.fired < max(f.Count, 1) }
