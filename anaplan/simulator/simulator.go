package simulator

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Simulator is one tenant of a simulated Anaplan: an http.Handler for the authentication service
// (/token/...) and the Integration API (/2/0/...). It is safe for concurrent use. It starts no
// goroutine of its own but those of Transport: what passes with time is worked out when it is looked at.
type Simulator struct {
	options  Options
	company  *Company
	switches Switches
	now      func() time.Time

	mu         sync.Mutex
	t          time.Time // the moment that is being simulated
	rng        *rand.Rand
	customer   string
	users      []*user
	workspaces []*workspace
	models     []*model
	tokens     []*token
	messages   map[string]time.Time // v2 messages that were used
	tasks      []*task
	late       []*call // requests that take effect later, by due time
	faults     []*Fault
	spells     []*spell
	visits     []*visit // strangers who have not come yet
	bucket     bucket
	misuse     []string
	requests   []Request
	changed    chan struct{} // closed when a waiting call should look again
	closed     bool
	network    *network

	line *rate.Limiter // of all bodies; nil: no limit
}

// New makes a tenant from the company. The company must have passed Load, or be as careful: names that
// do not exist, or do twice, panic with the text that Load would have returned.
func New(c *Company, o Options) *Simulator {
	if err := c.check(); err != nil {
		panic(err.Error())
	}
	if o.TokenLife == 0 {
		o.TokenLife = 35 * time.Minute
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.ChunkSize <= 0 {
		o.ChunkSize = 10_000_000
	}
	s := &Simulator{
		options:  o,
		company:  c,
		switches: c.Switches,
		now:      o.Now,
		rng:      rand.New(rand.NewPCG(o.Seed, 0x0a9a91a)),
		messages: map[string]time.Time{},
		changed:  make(chan struct{}),
		line:     o.Wire.line(),
	}
	if o.Switches != nil {
		s.switches = *o.Switches
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.t = s.now()
	s.build(c)
	for _, f := range slices.Concat(c.Faults, o.Faults) {
		f.seen, f.fired = 0, 0
		if err := f.check(); err != nil {
			panic("fault: " + err.Error())
		}
		s.faults = append(s.faults, &f)
	}
	for _, sp := range slices.Concat(c.Spells, o.Spells) {
		s.addSpell(sp)
	}
	for _, st := range slices.Concat(c.Strangers, o.Strangers) {
		s.addStranger(st)
	}
	s.bucket.fill(s.capacity(), s.t)
	return s
}

// lock takes the mutex and lets everything happen that is due by now.
func (s *Simulator) lock() {
	s.mu.Lock()
	s.advance(s.now())
}

// wake lets calls that wait for a model look again.
func (s *Simulator) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Simulator) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.options.Speed)
}

// Misuse tells what callers did that they should not, oldest first; the package documentation says
// what counts. What an injected fault or ExpireTokens brought about is not in it.
func (s *Simulator) Misuse() []string {
	s.lock()
	defer s.mu.Unlock()
	return slices.Clone(s.misuse)
}

// Requests tells what was asked, oldest first.
func (s *Simulator) Requests() []Request {
	s.lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// UnfiredFaults are those that hit fewer requests than they should; a fault with count -1 needs one.
func (s *Simulator) UnfiredFaults() []Fault {
	s.lock()
	defer s.mu.Unlock()
	var unfired []Fault
	for _, f := range s.faults {
		if f.unfired() {
			unfired = append(unfired, *f)
		}
	}
	return unfired
}

// AddFaults adds to the script while the simulator runs. It panics when a fault is wrong.
func (s *Simulator) AddFaults(faults ...Fault) {
	s.lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.seen, f.fired = 0, 0
		if err := f.check(); err != nil {
			panic("fault: " + err.Error())
		}
		s.faults = append(s.faults, &f)
	}
}

// ExpireTokens ends the life of every token at once.
func (s *Simulator) ExpireTokens() {
	s.lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		t.kill()
	}
}

// Tasks tells every task that was created, oldest first.
func (s *Simulator) Tasks() []TaskRecord {
	s.lock()
	defer s.mu.Unlock()
	records := make([]TaskRecord, 0, len(s.tasks))
	for _, t := range s.tasks {
		records = append(records, t.record())
	}
	return records
}

// Model returns a copy of what the model holds now, by "Name" or "Workspace/Name" or id.
func (s *Simulator) Model(name string) (ModelState, bool) {
	s.lock()
	defer s.mu.Unlock()
	for _, m := range s.models {
		if m.id == name || m.name == name || m.workspace.name+"/"+m.name == name {
			return m.copied(), true
		}
	}
	return ModelState{}, false
}

// Snapshot is a text with everything that models hold now: list items, cells, digests of private
// content, effects. Two simulators whose models hold the same have the same text.
func (s *Simulator) Snapshot() []byte {
	s.lock()
	defer s.mu.Unlock()
	models := slices.Clone(s.models)
	slices.SortFunc(models, func(a, b *model) int { return cmp.Compare(a.id, b.id) })
	var b bytes.Buffer
	for _, m := range models {
		m.snapshot(&b)
	}
	return b.Bytes()
}

var _ http.Handler = (*Simulator)(nil)
