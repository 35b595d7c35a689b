package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// The proof machine. A world is one simulated tenant, one ledger and one folder, in which
// processes of ours live and die. What became of it is compared with the same job in a
// world where nothing happened, and with the simulator's record.

// world is where processes of ours live.
type world struct {
	*night
	name   string // in front of every error
	over   chan struct{}
	mu     sync.Mutex
	lives  []*life
	mutate func(*life) // of a mutant: changes a process before it begins
	// exclusive: nobody else uses the login.
	exclusive bool
	// taken looks at a stranger's task that a step took for its own.
	taken func(ledger.State, ledger.StepState, simulator.TaskRecord)
	// rerun says whether a step may be run again without a person.
	rerun   func(run ledger.ID, t ledger.StepState, usual bool) bool
	faults  int  // errors told
	quiet   bool // errors are counted, and not told
	told    []string
	changes map[changed]time.Time // of sources
	anew    map[string]bool       // sources that were written when the run had moved them
	dropped bool                  // connections are, in mid-answer
	// moving looks at a file that a process moves.
	moving func(l *life, from, to string)
}

// wrong tells an error of this world.
func (w *world) wrong(format string, args ...any) {
	w.t.Helper()
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	w.faults++
	w.told = append(w.told, text)
	w.mu.Unlock()
	if !w.quiet {
		w.t.Errorf("%s: %s", w.name, text)
	}
}

// life is one process of ours, from its first request to its end or death.
type life struct {
	w      *world
	run    ledger.ID
	pid    int
	runner *Runner
	source *auth.Source
	dead   context.Context // ends with the process
	kill   context.CancelFunc
	ctx    context.Context // of the run
	stop   context.CancelCauseFunc
	done   chan lived

	mu     sync.Mutex
	count  int   // requests and writes so far
	dies   death // when
	cut    bool  // if it dies after a move, then in the middle of it
	aim    int   // instead of at a number, it dies at this one of what has to do with a program or a move
	sick   []int // writes of the ledger that fail once
	writes int
	made   bool // they were made all the same
	jump   time.Duration
	trace  []string

	// At this start, by its number, the process stands still for a time, after the intent
	// was recorded and before the request is sent: whoever comes meanwhile takes its place.
	freezes, intents int
	frozen           time.Duration

	mutation
}

// mutation is what a mutant changes from outside.
type mutation struct {
	blind   bool                                // a start that failed is sent again
	late    bool                                // an intent is recorded with what comes after it
	early   bool                                // the leases of a step end with its task, and it goes on as if they had not
	trusts  bool                                // a lease that is lost is believed in
	ageless bool                                // the epoch of a server file's lease tells nothing
	answers func(*http.Request, string) string  // other answers
	recalls func([]ledger.Event) []ledger.Event // other events

	unwritten []ledger.Event
	leases    []ledger.Lease
}

// death is a moment at which a process ends: at a request or write to the ledger, by its
// number, before or after it took effect.
type death struct {
	at    int // 0: never
	after bool
}

func (d death) String() string {
	switch {
	case d.at == 0:
		return "no death"
	case d.after:
		return fmt.Sprintf("death after %d", d.at)
	}
	return fmt.Sprintf("death before %d", d.at)
}

// lived is what a process said at its end.
type lived struct {
	state ledger.State
	err   error
	at    time.Time // before it logged out, which the program does for a moment only
}

var errDead = errors.New("the process has died")

// born makes a process that dies at the moment.
func (w *world) born(dies death) *life {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := &life{w: w, pid: len(w.lives) + 1, dies: dies, done: make(chan lived, 1)}
	l.dead, l.kill = context.WithCancel(context.Background())
	l.ctx, l.stop = context.WithCancelCause(context.Background())
	base := &mortal{l, w.sim.Transport()}
	policy := retry.Policy{Jitter: l.jitter()}
	now := func() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return time.Now().Add(l.jump) }
	l.source = auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: sample.Email, Password: secret.FromString(sample.Password)},
		Client: &http.Client{Transport: base}, Base: "https://auth.anaplan.com", Now: now, Retry: policy})
	hc := anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base, Limiter: anaplan.NewLimiter(0),
		Policy: policy, Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return &auth.Transport{Source: l.source, Base: rt, Hosts: []string{host}}
		}})
	tenant := &Tenant{Client: anaplan.New(hc, api), Host: host, Exclusive: w.exclusive, Retry: policy}
	l.runner = &Runner{Ledger: &mortalLedger{w.ledger, l}, Stores: &data.Stores{Schemes: map[string]data.Store{"": slowFiles{l: l}}}, Dir: filepath.Join(w.dir, "runs"), Version: "test", Now: now,
		Exec: l.exec, turn: l.turn, Connect: func(context.Context, string) (*Tenant, error) { return tenant, nil }}
	w.lives = append(w.lives, l)
	if w.mutate != nil {
		w.mutate(l)
	}
	return l
}

// jitter gives the numbers for the waits of the process before it tries again: others for
// each process, the same in each play of a night.
func (l *life) jitter() func() float64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(uint64(l.pid), 0xa6a1))
	return func() float64 { mu.Lock(); defer mu.Unlock(); return r.Float64() }
}

// identity is the process in the ledger.
func (l *life) identity() ledger.Runner {
	return ledger.Runner{Host: "here", PID: l.pid, User: "batch"}
}

// agent names the process to the simulator.
func (l *life) agent() string { return fmt.Sprintf("process %d", l.pid) }

// by tells the run that started a task; a stranger's is of none.
func (w *world) by(task simulator.TaskRecord, requests []simulator.Request) ledger.ID {
	if task.Request < 0 {
		return ledger.ID{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lives {
		if l.agent() == requests[task.Request].Agent {
			return l.run
		}
	}
	return ledger.ID{}
}

// turn puts off a request or write by less than 0.1 ms, which follow from what it is. What
// would happen at one moment of virtual time happens in an order, and in the same one in
// each play of a night, whatever the scheduler does.
func (l *life) turn(what string) {
	h := fnv.New32a()
	_, _ = io.WriteString(h, l.agent()+" "+what)
	time.Sleep(time.Duration(h.Sum32() % 100_000))
}

// slowFiles are the local files as a process sees them: finding or moving one has its turn, too.
type slowFiles struct {
	data.Local
	l *life
}

func (f slowFiles) List(ctx context.Context, name string) ([]data.Entry, error) {
	f.l.turn("list " + filepath.Base(name))
	return f.Local.List(ctx, name)
}

// fate of a request or write.
type fate int

const (
	lives      fate = iota
	diesBefore      // it has no effect
	diesAfter       // it has its effect, and nobody hears of it
)

// next counts a request or write.
func (l *life) next(what string) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead.Err() != nil {
		return diesBefore
	}
	l.count++
	l.trace = append(l.trace, what)
	if l.aim > 0 && isAim(what) {
		if l.aim--; l.aim == 0 {
			l.dies.at = l.count
		}
	}
	switch {
	case l.dies.at == 0 || l.count < l.dies.at:
		return lives
	case l.count == l.dies.at && l.dies.after:
		return diesAfter
	}
	return diesBefore
}

// die ends the process: its kernel locks are freed, its connections end, and from here on
// nothing it does has an effect. What it was about to do waits until the world is over, as
// nothing of a killed process goes on.
func (l *life) die() error {
	if l.dead.Err() == nil {
		l.kill()
		l.w.ledger.Free(l.pid)
	}
	<-l.w.over
	return errDead
}

// mortal is the network of a process.
type mortal struct {
	l    *life
	base http.RoundTripper
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	m.l.turn(r.Method + " " + r.URL.Path)
	fate := m.l.next(r.Method + " " + r.URL.Path)
	if fate == diesBefore {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, m.l.die()
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(m.l.dead, cancel)
	sent := r.Clone(ctx)
	sent.Header.Set("User-Agent", m.l.agent())
	answer, err := m.base.RoundTrip(sent)
	if isStartOf(r) && m.l.blind && fate == lives && (err != nil || answer.StatusCode >= 500) {
		if again, failed := r.GetBody(); failed == nil {
			sent = sent.Clone(ctx)
			sent.Body = again
			answer, err = m.base.RoundTrip(sent)
		}
	}
	if err == nil && m.l.answers != nil {
		answer = m.l.answered(r, answer)
	}
	if fate == diesAfter {
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
		stop()
		cancel()
		return nil, m.l.die()
	}
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	answer.Body = &mortalBody{answer.Body, func() { stop(); cancel() }}
	return answer, nil
}

func isStartOf(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tasks")
}

// answered lets a mutant change the text of an answer.
func (l *life) answered(r *http.Request, answer *http.Response) *http.Response {
	data, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err == nil {
		data = []byte(l.answers(r, string(data)))
		answer.ContentLength = int64(len(data))
		answer.Header.Del("Content-Length")
	}
	answer.Body = io.NopCloser(bytes.NewReader(data))
	return answer
}

type mortalBody struct {
	io.ReadCloser
	end func()
}

func (b *mortalBody) Close() error { defer b.end(); return b.ReadCloser.Close() }

// mortalLedger is the ledger as a process sees it.
type mortalLedger struct {
	ledger.Ledger
	l *life
}

var errMoment = errors.New("the disk is full for a moment")

// write does what changes the ledger, unless the process dies of it, or it fails once.
func (m *mortalLedger) write(what string, f func() error) error {
	m.l.turn(what)
	fate := m.l.next(what)
	if fate == diesBefore {
		return m.l.die()
	}
	m.l.mu.Lock()
	m.l.writes++
	sick := slices.Contains(m.l.sick, m.l.writes)
	made := m.l.made
	m.l.mu.Unlock()
	if sick && !made {
		return errMoment
	}
	err := f()
	switch {
	case fate == diesAfter:
		return m.l.die()
	case sick:
		return errors.Join(errMoment, err)
	}
	return err
}

func (m *mortalLedger) Append(ctx context.Context, run ledger.ID, after, epoch int64, events ...ledger.Event) (seq int64, err error) {
	what, intends, ended := "append", false, false
	for _, e := range events {
		what = strings.TrimRight(what+" "+e.Step, " ") + " " + e.Body.Kind()
		_, intent := e.Body.(ledger.Intent)
		_, end := e.Body.(ledger.TaskEnded)
		intends, ended = intends || intent, ended || end
	}
	err = m.write(what, func() (err error) {
		if m.l.late && intends {
			m.l.unwritten = append(m.l.unwritten, events...)
			seq = after + int64(len(events))
			return nil
		}
		missing := m.l.unwritten
		seq, err = m.Ledger.Append(ctx, run, after-int64(len(missing)), epoch, slices.Concat(missing, events)...)
		m.l.unwritten = nil
		return err
	})
	if err != nil {
		return 0, err
	}
	if ended && m.l.early {
		for _, lease := range m.l.leases {
			lease.Release()
		}
	}
	if m.l.mu.Lock(); intends {
		m.l.intents++
		intends = m.l.intents == m.l.freezes
	}
	m.l.mu.Unlock()
	if intends {
		m.l.w.ledger.Free(m.l.pid)
		time.Sleep(m.l.frozen)
	}
	return seq, nil
}

func (m *mortalLedger) Take(ctx context.Context, key ledger.Key, by ledger.Holder) (lease ledger.Lease, err error) {
	err = m.write("take "+string(key), func() (err error) {
		lease, err = m.Ledger.Take(ctx, key, by)
		return err
	})
	if err != nil {
		if lease != nil {
			lease.Release()
		}
		return nil, err
	}
	if !strings.HasPrefix(string(key), "run/") && !strings.HasPrefix(string(key), "job/") {
		m.l.mu.Lock()
		m.l.leases = append(m.l.leases, lease)
		m.l.mu.Unlock()
	}
	return &mortalLease{lease, m.l}, nil
}

func (m *mortalLedger) Events(ctx context.Context, run ledger.ID, after int64) ([]ledger.Event, error) {
	if m.l.dead.Err() != nil {
		return nil, m.l.die()
	}
	events, err := m.Ledger.Events(ctx, run, after)
	if m.l.recalls != nil {
		events = m.l.recalls(events)
	}
	return events, err
}

func (m *mortalLedger) Asked(ctx context.Context, run ledger.ID) (*ledger.Wish, error) {
	if m.l.dead.Err() != nil {
		return nil, m.l.die()
	}
	return m.Ledger.Asked(ctx, run)
}

// mortalLease is a lease of a process: a dead one gives nothing back.
type mortalLease struct {
	ledger.Lease
	l *life
}

func (m *mortalLease) Check() error {
	if m.l.dead.Err() != nil {
		return ledger.ErrLeaseLost
	}
	if m.l.trusts || m.l.early {
		return nil
	}
	return m.Lease.Check()
}

func (m *mortalLease) Epoch() int64 {
	if m.l.ageless && strings.HasPrefix(string(m.Key()), "file/") {
		return 1
	}
	return m.Lease.Epoch()
}

func (m *mortalLease) Release() {
	if m.l.dead.Err() == nil {
		m.Lease.Release()
	}
}

// begin lets the process do something, and does not wait for its end.
func (l *life) begin(f func(context.Context, *Runner) (ledger.State, error)) {
	go func() {
		defer func() {
			if v := recover(); v != nil {
				l.done <- lived{err: fmt.Errorf("panic: %v", v)}
				if c, ok := v.(*Crash); ok {
					l.w.wrong("panic: %v\n%s", c.Value, c.Stack)
				} else {
					panic(v)
				}
			}
		}()
		state, err := f(l.ctx, l.runner)
		end := lived{state, err, time.Now()}
		_ = l.source.Logout(context.Background())
		l.done <- end
	}()
}

// wait waits until the process has ended; died says that it told nothing.
func (l *life) wait() (end lived, died bool) {
	select {
	case end = <-l.done:
		l.w.ledger.Free(l.pid) // as the end of a process does
		l.done <- end
		return end, false
	case <-l.dead.Done():
		return lived{}, true
	}
}

// goOn runs the request, or continues it if its run is recorded.
func (l *life) goOn(req Request, c Continuation) {
	l.run = req.ID
	l.begin(func(ctx context.Context, r *Runner) (ledger.State, error) {
		req.Runner = l.identity()
		c.ID, c.Runner, c.By = req.ID, l.identity(), "ops@here"
		state, err := r.Continue(ctx, c)
		switch {
		case errors.Is(err, ledger.ErrNoRun):
			return r.Run(ctx, req)
		case errors.Is(err, ErrClosed):
			err = nil
		}
		return state, err
	})
}

// end ends the world: what still waits gets errors, and is waited for.
func (w *world) end() {
	select {
	case <-w.over:
		return
	default:
	}
	for _, l := range w.lives {
		l.kill()
		w.ledger.Free(l.pid)
	}
	close(w.over)
	for _, l := range w.lives {
		l.stop(&Stopped{Signal: "SIGTERM"})
		if l.done != nil {
			<-l.done
		}
	}
}

// state is what the ledger holds of a run.
func (w *world) state(id ledger.ID) (ledger.State, bool) {
	events, err := w.ledger.Events(context.Background(), id, 0)
	if errors.Is(err, ledger.ErrNoRun) {
		return ledger.State{}, false
	}
	s, err2 := ledger.Fold(events)
	if err := errors.Join(err, err2); err != nil {
		w.wrong("the ledger: %v", err)
	}
	return s, true
}

// rounds is how often a run is continued before it is given up.
const rounds = 8

// finish continues a run, by a new process each time, until it is closed or stays as it
// is. What is unsure is decided as a person does who can ask the simulator; decided says
// that there was something to decide.
func (w *world) finish(req Request, pause time.Duration) (s ledger.State, decided bool) {
	var c Continuation
	for round := 0; ; round++ {
		s, there := w.state(req.ID)
		if there && s.End != nil {
			if s.Closed() {
				return s, decided
			}
			d, ok := w.decide(s)
			if ok {
				c = d
				decided = decided || slices.ContainsFunc(s.Steps, func(t ledger.StepState) bool { return unknown(&t) })
			}
		}
		if round == rounds {
			w.wrong("after %d rounds it is still open: %s\n%s", rounds, verdicts(s), messages(s))
			return s, decided
		}
		time.Sleep(pause)
		l := w.born(death{})
		l.goOn(req, c)
		c = Continuation{}
		if end, _ := l.wait(); end.err != nil {
			w.wrong("continued: %v", end.err)
			return s, decided
		}
	}
}

// decide is what a person does with a run that is unsure, and knows what Anaplan ran.
func (w *world) decide(s ledger.State) (c Continuation, unsure bool) {
	known := map[string]bool{}
	for _, t := range s.Steps {
		for _, i := range t.Intents {
			known[i.Task] = true
		}
	}
	for _, t := range s.Steps {
		if t.End != nil && t.End.Verdict == ledger.Unsure && t.Command() != nil {
			unsure = true
			w.decideProgram(s, t, &c)
			continue
		}
		if t.End == nil || t.End.Verdict != ledger.Unsure || len(t.Intents) == 0 {
			continue
		}
		i := t.Intents[len(t.Intents)-1]
		if i.Outcome != ledger.IntentOpen && i.Outcome != ledger.IntentPending {
			continue
		}
		unsure = true
		if t.End.Next == "" || t.End.Cause != ledger.CauseStartUnknown {
			w.wrong("step %q is unsure and says not what to do: %+v", t.Plan.Name, t.End)
		}
		found, requests := "", w.sim.Requests()
		for _, task := range w.sim.Tasks() {
			if !known[task.ID] && task.ObjectID == t.Object.ID && task.Model == t.Model.Name && w.by(task, requests) == s.Created.ID {
				found = task.ID
			}
		}
		if found != "" {
			c.Adopt = append(c.Adopt, found)
		} else {
			c.Again = append(c.Again, t.Plan.Name)
		}
	}
	return c, unsure
}

// final is what a world has come to.
type final struct {
	Verdicts string
	Code     int
	Started  map[string]int // by model and object
	Models   string
	Files    map[string]string // of targets
}

func (w *world) final(s ledger.State) final {
	f := final{Verdicts: verdicts(s), Code: -1, Started: map[string]int{}, Models: string(w.sim.Snapshot()), Files: map[string]string{}}
	if s.End != nil {
		f.Code = s.End.Code
	}
	for _, task := range w.sim.Tasks() {
		if !task.Stranger {
			f.Started[task.Model+" / "+task.Kind+" "+task.Object]++
		}
	}
	_ = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, filepath.Join(w.dir, "runs")) {
			return err
		}
		name, _ := filepath.Rel(w.dir, path)
		data, err := os.ReadFile(path)
		f.Files[name] = string(data)
		return err
	})
	return f
}

// temporary says whether a file is what a killed process may leave beside a target.
func temporary(name string) bool {
	return strings.HasPrefix(filepath.Base(name), ".anaplan-runner-") && strings.HasSuffix(name, ".tmp")
}

// same compares two ends, and says how they differ.
func (f final) same(got final) string {
	got.Files = maps.Clone(got.Files)
	maps.DeleteFunc(got.Files, func(name, _ string) bool { return temporary(name) })
	f.Files = maps.Clone(f.Files)
	for name, data := range maps.Clone(f.Files) {
		if other, there := got.Files[name]; there && other == data {
			delete(f.Files, name)
			delete(got.Files, name)
		}
	}
	if f.Models == got.Models {
		f.Models, got.Models = "", ""
	}
	return cmp.Diff(f, got)
}

// close ends the world and asks the simulator what it has to say against us. What a death
// brings with it is left out: the next process logs in again, and polls at once.
func (w *world) close() {
	w.end()
	w.sim.Close()
	for _, m := range w.sim.Misuse() {
		if strings.Contains(m, "logged in again") {
			continue
		}
		if w.mayNotFire && strings.HasPrefix(m, "GET ") && strings.Contains(m, "the token expired") && w.dropped {
			continue // it hung until the connection broke, and net/http sent it again as it was
		}
		given := strings.Contains(m, "/files/") || w.mayNotFire && strings.HasPrefix(m, "GET ")
		if given && strings.Contains(m, "the token was logged out") {
			continue // an upload ahead of need, or a look, that was given up when the process was stopped: the logout overtook it
		}
		w.wrong("misuse: %s", m)
	}
	for _, f := range w.sim.UnfiredFaults() {
		if !w.mayNotFire {
			w.wrong("fault never fired: %+v", f)
		}
	}
}

// truth compares what is recorded of runs with what Anaplan did: no start without an
// intent, no more tasks than intents that may have started one, never two of ours at once
// on a model, and verdicts that are true.
func (w *world) truth(runs ...ledger.State) {
	type place struct {
		run           ledger.ID
		model, object string
	}
	tasks, requests := w.sim.Tasks(), w.sim.Requests()
	byID := map[string]simulator.TaskRecord{}
	for _, task := range tasks {
		byID[task.ID] = task
	}
	named := map[string]bool{}
	may := map[place]int{} // intents that may have started a task that is not named
	for _, s := range runs {
		for _, t := range s.Steps {
			for _, i := range t.Intents {
				at := place{s.Created.ID, t.Model.Name, t.Object.ID}
				task := byID[i.Task]
				switch {
				case i.Task != "":
					if named[i.Task] {
						w.wrong("task %s belongs to two intents", i.Task)
					}
					named[i.Task] = true
					if task.Stranger {
						may[at]++ // ours may have come as well
						if w.taken != nil {
							w.taken(s, t, task)
						}
					} else if by := w.by(task, requests); by != s.Created.ID {
						w.wrong("task %s is taken for its own by %v, and was started by %v", i.Task, s.Created.ID, by)
					}
				case i.Outcome == ledger.IntentPending || i.Outcome == ledger.IntentOpen || i.Outcome == ledger.IntentOverruled:
					may[at]++
				}
			}
			w.once(s.Created.ID, t)
		}
	}
	for _, task := range tasks {
		if named[task.ID] || task.Stranger {
			continue
		}
		at := place{w.by(task, requests), task.Model, task.ObjectID}
		if may[at]--; may[at] < 0 {
			w.wrong("%s %q was started (task %s at %s), and no intent says so", task.Kind, task.Object, task.ID, task.Created.Format(time.TimeOnly))
		}
	}
	for i, a := range tasks {
		for _, b := range tasks[:i] {
			if !a.Stranger && !b.Stranger && a.Model == b.Model && (b.Ended.IsZero() || a.Created.Before(b.Ended)) {
				w.wrong("two tasks of ours at once on %s: %s %q and %s %q", a.Model, b.Kind, b.Object, a.Kind, a.Object)
			}
		}
	}
	for _, s := range runs {
		for _, t := range s.Steps {
			w.true(t, byID)
		}
		ended := !slices.ContainsFunc(s.Steps, func(t ledger.StepState) bool { return t.End == nil })
		if s.End != nil && ended { // else the run as a whole was refused
			if want := ledger.Outcome(s); want.Code != s.End.Code {
				w.wrong("the code is %d, of the verdicts it would be %d", s.End.Code, want.Code)
			}
		}
	}
}

// once checks that a step's task was started again only because it was decided so, or
// because the first had certainly not been.
func (w *world) once(run ledger.ID, t ledger.StepState) {
	begun := 0
	for n, i := range t.Intents {
		if i.Outcome == ledger.IntentOverruled && (i.Settled == nil || i.Settled.By == "") {
			w.wrong("step %q: intent %d is overruled, by nobody", t.Plan.Name, n+1)
		}
		if i.Outcome == ledger.IntentStarted || i.Outcome == ledger.IntentOpen || i.Outcome == ledger.IntentPending {
			if begun++; begun > 1+w.reruns(run, t) {
				w.wrong("step %q: intent %d is another start, and nobody decided so", t.Plan.Name, n+1)
			}
		}
	}
}

func (w *world) reruns(run ledger.ID, t ledger.StepState) int {
	n := 0
	for _, r := range t.Reopened {
		if !r.Rerun {
			continue
		}
		safe := t.Plan.Verb == "import" || t.Plan.Verb == "export"
		if w.rerun != nil {
			safe = w.rerun(run, t, safe)
		}
		if r.By != "" || safe {
			n++
		}
	}
	return n
}

// true holds the verdict of a step against what became of its task.
func (w *world) true(t ledger.StepState, tasks map[string]simulator.TaskRecord) {
	life := t.Life()
	if t.End == nil || len(life) == 0 {
		return
	}
	for _, i := range t.Intents {
		task := tasks[i.Task]
		if !i.Ended.IsZero() && i.State != task.State {
			w.wrong("step %q: task %s is recorded as %s, and is %s", t.Plan.Name, i.Task, i.State, task.State)
		}
		if i.Outcome == ledger.IntentStarted && i.Ended.IsZero() && !task.Ended.IsZero() {
			w.wrong("step %q ended %s, and has not seen that task %s has ended: %s", t.Plan.Name, t.End.Verdict, i.Task, task.State)
		}
	}
	i := life[len(life)-1]
	task, there := tasks[i.Task]
	switch {
	case i.Task == "":
		if t.End.Verdict == ledger.OK && t.End.Cause == "" && !accepted(t) {
			w.wrong("step %q is said to be ok, and no task of it is known", t.Plan.Name)
		}
	case !there:
		w.wrong("step %q names task %s, which Anaplan does not know", t.Plan.Name, i.Task)
	case t.End.Verdict == ledger.OK && !accepted(t) && (task.State != "COMPLETE" || !task.Successful && !task.DumpRecorded):
		w.wrong("step %q is said to be ok, task %s is %s, successful %t", t.Plan.Name, i.Task, task.State, task.Successful)
	case t.End.Verdict == ledger.Failed && t.End.Cause == ledger.CauseAction && task.Successful:
		w.wrong("step %q is said to have failed, task %s was successful: %s", t.Plan.Name, i.Task, t.End.Message)
	case t.End.Verdict == ledger.Partial && task.Successful && !task.DumpRecorded:
		w.wrong("step %q is said to have rejected rows, task %s has not: %s", t.Plan.Name, i.Task, t.End.Message)
	case t.End.Verdict == ledger.Cancelled && task.State != "CANCELLED":
		w.wrong("step %q is said to be cancelled, task %s is %s", t.Plan.Name, i.Task, task.State)
	}
}

// accepted says whether a person took the step for ok.
func accepted(t ledger.StepState) bool {
	return t.End != nil && strings.Contains(t.End.Message, "accepted")
}
