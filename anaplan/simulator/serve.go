package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers one request. A dropped connection is a panic with http.ErrAbortHandler, as
// net/http has it; a call that hangs waits until the model is free or the caller gives up.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, count, err := s.receive(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller broke off: nothing took effect
	}
	c := &call{
		method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header,
		base: "https://" + r.Host, body: body, count: count,
	}
	fault, record := s.arrived(c)
	fault.Delay += s.options.Wire.RoundTrip
	if fault.Delay > 0 && !wait(r, fault.Delay, nil) {
		panic(http.ErrAbortHandler)
	}
	if fault.Drop == "before" {
		panic(http.ErrAbortHandler)
	}
	if fault.Drop == "after" && fault.After > 0 {
		s.takeEffectLater(c, fault.After)
		panic(http.ErrAbortHandler)
	}
	a, hang := s.attempt(c, fault, record)
	for hang != nil {
		if !wait(r, hang.pause, hang.changed) {
			panic(http.ErrAbortHandler)
		}
		a, hang = s.attempt(c, fault, record)
	}
	if fault.Drop == "after" {
		panic(http.ErrAbortHandler)
	}
	if fault.Truncate && len(a.body) > 0 {
		whole := len(a.body)
		a.header["Content-Length"] = strconv.Itoa(whole)
		a.body = a.body[:whole/2]
		s.write(r.Context(), w, a)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	s.write(r.Context(), w, a)
}

// arrived records the request and finds the faults that hit it.
func (s *Simulator) arrived(c *call) (fault Fault, record int) {
	s.lock()
	defer s.mu.Unlock()
	record = len(s.requests)
	c.record = record
	s.moments(c)
	fault = s.fault(c)
	s.requests = append(s.requests, Request{At: s.t, Method: c.method, Path: c.path, Agent: c.header.Get("User-Agent"), Faulted: c.faulted})
	return fault, record
}

// takeEffectLater keeps the request for later. Its token counts as it is now.
func (s *Simulator) takeEffectLater(c *call, after time.Duration) {
	s.lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(c.path, "/token/") && !s.authorize(c) {
		return
	}
	s.later(c, s.t.Add(after))
}

// A hanging call looks again after the pause, or when something changed.
type hanging struct {
	pause   time.Duration
	changed <-chan struct{}
}

// attempt answers, or says how long the call hangs at least.
func (s *Simulator) attempt(c *call, fault Fault, record int) (answer, *hanging) {
	s.lock()
	defer s.mu.Unlock()
	if s.closed {
		panic(http.ErrAbortHandler) // as when a server's process ends: no answer, not a wrong one
	}
	var a answer
	if fault.Status != 0 && !fault.Took {
		a = s.faultAnswer(c, fault)
	} else {
		var until time.Time
		if a, until = s.answer(c); !until.IsZero() {
			return answer{}, &hanging{pause: until.Sub(s.t), changed: s.changed}
		}
		if fault.Status != 0 {
			a = s.faultAnswer(c, fault)
		}
	}
	if a.header == nil {
		a.header = map[string]string{}
	}
	a.header["Date"] = s.t.UTC().Format(http.TimeFormat)
	if fault.Drop != "after" {
		s.requests[record].Status = a.status
	}
	s.requests[record].Faulted = c.faulted
	if c.user != nil {
		s.requests[record].User = c.user.email
	}
	return a, nil
}

// wait lets time pass, or until something changed; false when the caller gave up.
func wait(r *http.Request, d time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-r.Context().Done():
		return false
	}
	return true
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
	case "no_rows":
		a = s.page(c, "task", "tasks", nil)
		a.status = f.Status
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

// misused notes what a caller should not have done, unless a fault led to it.
func (s *Simulator) misused(c *call, format string, args ...any) {
	if c.faulted {
		return
	}
	s.misuse = append(s.misuse, fmt.Sprintf("%s %s: ", c.method, c.path)+fmt.Sprintf(format, args...))
}
