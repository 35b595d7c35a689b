package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// watched is a simulator whose requests are logged, and whose misuse is warned of while
// it runs.
type watched struct {
	p   *Program
	sim *simulator.Simulator

	mu   sync.Mutex
	told int // misuse that was warned of
}

// serve serves until ctx ends. Calls that hang are given up then.
func (w *watched) serve(ctx context.Context, listener net.Listener) error {
	inner, stop := context.WithCancel(context.Background())
	defer stop()
	server := w.p.server(inner, w)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		stop()
		_ = w.sim.Close()
		_ = server.Close()
		err = <-ended
	}
	w.warn()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: fmt.Sprintf("serve the simulator: %v", err), err: err}
}

// ServeHTTP implements [http.Handler].
func (w *watched) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	began := time.Now()
	answer := &statusOf{ResponseWriter: rw}
	defer func() {
		said := "connection dropped"
		if answer.status != 0 {
			said = fmt.Sprint(answer.status)
		}
		w.p.log.Debugf("%s %s: %s after %s", r.Method, r.URL.Path, said, time.Since(began).Round(time.Millisecond))
		w.warn()
	}()
	w.sim.ServeHTTP(answer, r)
}

// warn tells of misuse that was not told yet.
func (w *watched) warn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	misuse := w.sim.Misuse()
	for _, m := range misuse[w.told:] {
		w.p.log.Warn("misuse: " + m)
	}
	w.told = len(misuse)
}

// statusOf remembers the status of an answer.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (s *statusOf) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusOf) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusOf) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// logLines makes warnings of what net/http has to say.
type logLines struct{ p *Program }

func (l logLines) Write(b []byte) (int, error) {
	l.p.log.Warn(strings.TrimSpace(string(b)))
	return len(b), nil
}

// simulated is the result of simulate.
type simulatedResult struct {
	Schema   int            `json:"schema"`
	Event    string         `json:"event"` // "end"
	URL      string         `json:"url"`
	Verdict  ledger.Verdict `json:"verdict"`
	ExitCode int            `json:"exit_code"`
	Requests int            `json:"requests"`
	Tasks    []taskCount    `json:"tasks"`
	Misuse   []string       `json:"misuse"`
	Unfired  []string       `json:"unfired_faults"`
}

// taskCount says how often an object ran.
type taskCount struct {
	Kind   string `json:"kind"`
	Model  string `json:"model"`
	Object string `json:"object"`
	State  string `json:"state"`
	Count  int    `json:"count"`
}

// simulated writes the summary at the end.
func (p *Program) simulated(c *cli.Context, url string, w *watched) error {
	r := simulatedResult{Schema: 1, Event: "end", URL: url, Verdict: ledger.OK, Requests: len(w.sim.Requests()),
		Tasks: countTasks(w.sim.Tasks()), Misuse: append([]string{}, w.sim.Misuse()...), Unfired: []string{}}
	for _, f := range w.sim.UnfiredFaults() {
		r.Unfired = append(r.Unfired, strings.TrimSpace(fmt.Sprintf("%s %s", f.Method, f.Path)))
	}
	if c.Bool("strict") && len(r.Misuse)+len(r.Unfired) > 0 {
		r.Verdict, r.ExitCode = ledger.Failed, ledger.CodeAction
	}
	return p.finish(c, r.ExitCode, r, r.text)
}

func countTasks(tasks []simulator.TaskRecord) []taskCount {
	counts := []taskCount{}
	place := map[taskCount]int{}
	for _, t := range tasks {
		key := taskCount{Kind: t.Kind, Model: t.Model, Object: t.Object, State: t.State}
		i, ok := place[key]
		if !ok {
			i = len(counts)
			place[key] = i
			counts = append(counts, key)
		}
		counts[i].Count++
	}
	return counts
}

func (r simulatedResult) text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ended: %s, misuse: %d\n", plural(r.Requests, "request"), len(r.Misuse))
	for _, t := range r.Tasks {
		fmt.Fprintf(&b, "  %d × %s %q in %q: %s\n", t.Count, t.Kind, t.Object, t.Model, t.State)
	}
	for _, m := range r.Misuse {
		fmt.Fprintf(&b, "  misuse: %s\n", m)
	}
	for _, f := range r.Unfired {
		fmt.Fprintf(&b, "  a fault that never happened, or too seldom: %s\n", f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
