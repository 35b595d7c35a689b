package simulator

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Moment is when something begins: After the simulator was made, or, with a method or a path, After
// the Nth request that matches has arrived (0 is the first).
type Moment struct {
	Method string        `toml:"method"`
	Path   string        `toml:"path"` // a regular expression found anywhere in the path
	Nth    int           `toml:"nth"`
	After  time.Duration `toml:"after"`
}

// A Spell is a time in which something is away, of one model or of all.
type Spell struct {
	Moment
	// Model is "Model" or "Workspace/Model"; empty: all.
	Model string `toml:"model"`
	// What is away:
	//	no_access  everybody's access: task lists are empty, other calls 404 (anaplan-api.md 6.3)
	//	loading    the model is being loaded: calls that need it hang
	//	archived, locked, offline   as its state says (6.2)
	//	page       every call of the model, or with all models every call of the API, gets an
	//	           HTML page with 503, as in maintenance
	//	hang       every call of the model hangs
	What string `toml:"what"`
	// For is how long it lasts; 0: for ever.
	For time.Duration `toml:"for"`
}

// A Stranger is somebody else, or the same user from elsewhere, who runs an object once.
type Stranger struct {
	Moment
	User   string `toml:"user"`   // the address
	Model  string `toml:"model"`  // "Model" or "Workspace/Model"
	Kind   string `toml:"kind"`   // import, export, process or action
	Object string `toml:"object"` // its name or id
	// Prompts by entityType (11.1).
	Prompts map[string]string `toml:"prompts"`
	// Upload, when not empty, replaces the user's private content of every file that the object reads.
	Upload string `toml:"upload"`
}

// A moment in wait for its requests.
type moment struct {
	Moment
	path *regexp.Regexp
	seen int
	due  time.Time // zero until it is known
}

type spell struct {
	Spell
	moment
	until time.Time // zero for ever
}

type visit struct {
	Stranger
	moment
}

func (m *moment) set(of Moment, now time.Time) {
	m.Moment = of
	m.path = regexp.MustCompile(of.Path)
	if of.Method == "" && of.Path == "" {
		m.due = now.Add(of.After)
	}
}

// met counts a request, and says whether it was the one that was waited for.
func (m *moment) met(method, path string, now time.Time) bool {
	if !m.due.IsZero() || m.Method != "" && !strings.EqualFold(m.Method, method) || !m.path.MatchString(path) {
		return false
	}
	m.seen++
	if m.seen < max(m.Nth, 1) {
		return false
	}
	m.due = now.Add(m.After)
	return true
}

func (m Moment) check() error {
	if _, err := regexp.Compile(m.Path); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if m.Nth < 0 || m.After < 0 {
		return errors.New("nth and after must not be negative")
	}
	return nil
}

var spells = []string{"no_access", "loading", "archived", "locked", "offline", "page", "hang"}

func (c *Company) checkSpell(s Spell) error {
	switch {
	case !slices.Contains(spells, s.What):
		return fmt.Errorf("what %q is none of %q", s.What, spells)
	case s.Model != "" && c.model(s.Model) == nil:
		return fmt.Errorf("there is no model %q", s.Model)
	case s.For < 0:
		return errors.New("for must not be negative")
	}
	return s.Moment.check()
}

func (c *Company) checkStranger(s Stranger) error {
	m := c.model(s.Model)
	switch {
	case !slices.ContainsFunc(c.Users, func(u User) bool { return u.Email == s.User }):
		return fmt.Errorf("there is no user %q", s.User)
	case m == nil:
		return fmt.Errorf("there is no model %q", s.Model)
	case !m.runs(s.Kind, s.Object):
		return fmt.Errorf("model %q has no %s %q", s.Model, s.Kind, s.Object)
	}
	return s.Moment.check()
}

// runs says whether the model has this object. Ids that are made from names are not known here.
func (m *Model) runs(kind, name string) bool {
	given := map[string][]string{
		"import":  names(m.Imports, func(i Import) string { return i.Name }),
		"export":  names(m.Exports, func(e Export) string { return e.Name }),
		"process": names(m.Processes, func(p Process) string { return p.Name }),
		"action":  names(m.Actions, func(a Action) string { return a.Name }),
	}[kind]
	return slices.Contains(given, name) || len(name) == 12 && strings.Trim(name, "0123456789") == ""
}

// AddSpells adds spells while the simulator runs: moments without a request count from now. It panics
// when one is wrong.
func (s *Simulator) AddSpells(spells ...Spell) {
	s.lock()
	defer s.mu.Unlock()
	for _, sp := range spells {
		s.addSpell(sp)
	}
}

func (s *Simulator) addSpell(sp Spell) {
	if err := s.company.checkSpell(sp); err != nil {
		panic("spell: " + err.Error())
	}
	added := &spell{Spell: sp}
	added.set(sp.Moment, s.t)
	added.know()
	s.spells = append(s.spells, added)
}

func (sp *spell) know() {
	if sp.For > 0 && !sp.due.IsZero() {
		sp.until = sp.due.Add(sp.For)
	}
}

// AddStrangers is AddSpells for strangers.
func (s *Simulator) AddStrangers(strangers ...Stranger) {
	s.lock()
	defer s.mu.Unlock()
	for _, st := range strangers {
		s.addStranger(st)
	}
}

func (s *Simulator) addStranger(st Stranger) {
	if err := s.company.checkStranger(st); err != nil {
		panic("stranger: " + err.Error())
	}
	v := &visit{Stranger: st}
	v.set(st.Moment, s.t)
	s.visits = append(s.visits, v)
}

// Start lets somebody start a task now, past every login, limit, fault and spell, and tells its id. It
// is no misuse of anybody. It panics when there is no such user or object.
func (s *Simulator) Start(st Stranger) string {
	if err := s.company.checkStranger(st); err != nil {
		panic("stranger: " + err.Error())
	}
	s.lock()
	defer s.mu.Unlock()
	return s.visit(st)
}

func (s *Simulator) visit(st Stranger) string {
	m := s.modelNamed(st.Model)
	var r *runnable
	for _, o := range m.objects {
		if o.kind == st.Kind && (o.name == st.Object || o.id == st.Object) {
			r = o
		}
	}
	var u *user
	for _, one := range s.users {
		if one.email == st.User {
			u = one
		}
	}
	if r == nil {
		panic(fmt.Sprintf("stranger: model %q has no %s %q", st.Model, st.Kind, st.Object))
	}
	t := s.newTask(m, r, u)
	t.stranger, t.request = true, -1
	for entity, name := range st.Prompts {
		t.prompts = append(t.prompts, prompt{Type: entity, Name: name})
	}
	for _, step := range t.steps {
		if st.Upload != "" && step.kind == "import" && step.file != nil {
			step.file.private[u] = &content{announced: 1, chunks: map[int][]byte{0: []byte(st.Upload)}, completed: true, used: s.t}
			step.file.shown[u] = 1
		}
	}
	return t.id
}

// moments lets the request begin what waited for it.
func (s *Simulator) moments(c *call) {
	for _, sp := range s.spells {
		if sp.met(c.method, c.path, s.t) {
			sp.know()
		}
	}
	for _, v := range s.visits {
		v.met(c.method, c.path, s.t)
	}
}

// under finds the spell of this kind that a model is under now; nil asks for the whole API.
func (s *Simulator) under(m *model, what string) *spell {
	for _, sp := range s.spells {
		if sp.What != what || sp.due.IsZero() || sp.due.After(s.t) || !sp.until.IsZero() && !sp.until.After(s.t) {
			continue
		}
		if sp.Spell.Model == "" || m != nil && s.modelNamed(sp.Spell.Model) == m {
			return sp
		}
	}
	return nil
}

// ends is when a spell is over, or when to look again.
func (s *Simulator) ends(sp *spell) time.Time {
	if sp.until.IsZero() {
		return s.t.Add(time.Hour)
	}
	return sp.until
}

// role of a user in a model at this moment.
func (s *Simulator) role(u *user, m *model) string {
	if s.under(m, "no_access") != nil {
		return "none"
	}
	return u.role(m)
}

// state of a model at this moment.
func (s *Simulator) state(m *model) string {
	switch {
	case s.under(m, "archived") != nil:
		return "ARCHIVED"
	case s.under(m, "offline") != nil:
		return "MAINTENANCE"
	case s.under(m, "locked") != nil:
		return "LOCKED"
	}
	return m.state
}

// spellbound answers a call of a model that is away, or says until when it hangs.
func (s *Simulator) spellbound(c *call, m *model, r *route) (a answer, until time.Time, is bool) {
	if sp := s.under(m, "page"); sp != nil {
		return s.maintenance(c), time.Time{}, true
	}
	if sp := s.under(m, "hang"); sp != nil {
		c.faulted = true
		return answer{}, s.ends(sp), true
	}
	if sp := s.under(m, "loading"); sp != nil && !r.closed {
		c.faulted = true
		return answer{}, s.ends(sp), true
	}
	for _, what := range spells {
		if s.under(m, what) != nil {
			c.faulted = true
		}
	}
	return answer{}, time.Time{}, false
}

func (s *Simulator) maintenance(c *call) answer {
	c.faulted = true
	return s.faultAnswer(c, Fault{Status: http.StatusServiceUnavailable, Body: "html"})
}
