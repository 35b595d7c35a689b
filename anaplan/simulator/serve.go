package simulator

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ServeHTTP answers one request. A dropped connection is a panic with http.ErrAbortHandler, as
// net/http has it; a call that hangs waits until the model is free or the caller gives up.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller broke off: nothing took effect
	}
	c := &call{
		method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header,
		base: "https://" + r.Host, body: body,
	}
	s.lock()
	record := len(s.requests)
	s.requests = append(s.requests, Request{At: s.t, Method: c.method, Path: c.path})
	fault := s.fault(c)
	s.requests[record].Faulted = c.faulted
	s.mu.Unlock()

	done := func(status int) {
		s.requests[record].Status = status
		if c.user != nil {
			s.requests[record].User = c.user.email
		}
	}
	if fault.Delay > 0 && !s.wait(r, fault.Delay) {
		panic(http.ErrAbortHandler)
	}
	if fault.Drop == "before" {
		panic(http.ErrAbortHandler)
	}
	if fault.Drop == "after" && fault.After > 0 {
		s.lock()
		s.later(c, s.t.Add(fault.After))
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	var a answer
	if fault.Status != 0 && !fault.Took {
		s.lock()
		a = s.faultAnswer(c, fault)
	} else {
		for {
			s.lock()
			var until time.Time
			a, until = s.answer(c)
			if until.IsZero() {
				break
			}
			changed, pause := s.changed, until.Sub(s.t)
			s.mu.Unlock()
			if !s.waitChanged(r, changed, pause) {
				panic(http.ErrAbortHandler)
			}
		}
		if fault.Status != 0 {
			a = s.faultAnswer(c, fault)
		}
	}
	date := s.t
	if fault.Drop == "after" {
		done(0)
	} else {
		done(a.status)
	}
	s.mu.Unlock()
	if fault.Drop == "after" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Date", date.UTC().Format(http.TimeFormat))
	if fault.Truncate && len(a.body) > 0 {
		whole := len(a.body)
		w.Header().Set("Content-Length", fmt.Sprint(whole))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:whole/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	a.write(w)
}

// fault combines the faults that hit this request.
func (s *Simulator) fault(c *call) Fault {
	var sum Fault
	for _, f := range s.faults {
		if !f.hits(c.method, c.path) {
			continue
		}
		c.faulted = true
		sum.Delay += f.Delay
		sum.Truncate = sum.Truncate || f.Truncate
		if sum.Status == 0 {
			sum.Status, sum.Body, sum.RetryAfter, sum.Took = f.Status, f.Body, f.RetryAfter, f.Took
		}
		if sum.Drop == "" {
			sum.Drop, sum.After = f.Drop, f.After
		}
		if f.ExpireToken {
			if _, value, ok := strings.Cut(c.header.Get("Authorization"), " "); ok {
				for _, t := range s.tokens {
					if t.value == value {
						t.kill()
					}
				}
			}
		}
	}
	return sum
}

func (s *Simulator) faultAnswer(c *call, f Fault) answer {
	var a answer
	switch f.Body {
	case "html":
		text := http.StatusText(f.Status)
		a = answer{status: f.Status, header: map[string]string{"Content-Type": "text/html"},
			body: fmt.Appendf(nil, "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", f.Status, text, f.Status, text)}
	case "empty":
		a = answer{status: f.Status, header: map[string]string{}}
	default:
		a = s.refuse(c, f.Status, http.StatusText(f.Status))
		if strings.HasPrefix(c.path, "/token/") {
			a = authError(f.Status, "FAILURE_INTERNAL", http.StatusText(f.Status))
		}
	}
	if f.RetryAfter != "" {
		a.header["Retry-After"] = f.RetryAfter
	}
	return a
}

// later keeps a call whose caller is gone, until it is due.
func (s *Simulator) later(c *call, due time.Time) {
	c.due = due
	s.late = append(s.late, c)
}

// wait lets time pass; false when the caller gave up or the simulator was closed.
func (s *Simulator) wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (s *Simulator) waitChanged(r *http.Request, changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.closed
	case <-r.Context().Done():
		return false
	}
}

// misused notes what a caller should not have done, unless a fault led to it.
func (s *Simulator) misused(c *call, format string, args ...any) {
	if c.faulted {
		return
	}
	s.misuse = append(s.misuse, fmt.Sprintf("%s %s: ", c.method, c.path)+fmt.Sprintf(format, args...))
}
