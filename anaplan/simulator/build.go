package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

type user struct {
	id, email, first, last, password string
	tenantAdmin                      bool
	access                           map[string]string
	token                            *token
	loggedIn                         time.Time
	disturbed                        bool // the last login met a fault
}

type workspace struct {
	id, name  string
	allowance int64
	models    []*model
}

type model struct {
	workspace     *workspace
	id, name      string
	state         string
	categories    map[string]string
	closed        bool
	loading       time.Duration // how long loading takes
	loaded        time.Time     // when it is or was over
	closing       time.Time     // when a close is over
	time          []string
	versions      []string
	current       string
	lists         []*list
	modules       []*module
	files         []*file
	objects       []*runnable
	queue         []*task
	free          time.Time // since when no task runs
	effects       []string
	changes       int
	lastFile      int
	lastChangedBy *user
}

// A runnable is an import, export, process or other action.
type runnable struct {
	kind, id, name string
	duration       time.Duration
	imports        *Import
	source         *model // of an import from another model
	exports        *Export
	action         *Action
	file           *file       // that an import reads or an export writes
	steps          []*runnable // of a process
	dumps          map[*user]*dump
	tasks          []*task
}

func (r *runnable) path() string {
	if r.kind == "process" {
		return "processes"
	}
	return r.kind + "s"
}

// hexID makes an id of 32 hex digits from names, so that it is the same on each run.
func hexID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func orDuration(value, otherwise time.Duration) time.Duration {
	if value == 0 {
		return otherwise
	}
	return value
}

// numbers gives out the ids of model objects: three digits for the kind, nine for the number (1.2).
type numbers map[string]int

func (n numbers) next(given, prefix string) string {
	n[prefix]++
	return or(given, fmt.Sprintf("%s%09d", prefix, n[prefix]))
}

func (s *Simulator) build(c *Company) {
	s.customer = or(c.CustomerID, hexID("customer"))
	for _, u := range c.Users {
		s.users = append(s.users, &user{
			id: or(u.ID, hexID("user", u.Email)), email: u.Email, first: u.FirstName, last: u.LastName,
			password: u.Password, tenantAdmin: u.TenantAdmin, access: u.Access,
		})
	}
	for _, cw := range c.Workspaces {
		w := &workspace{id: or(cw.ID, "8a"+hexID("workspace", cw.Name)[2:]), name: cw.Name, allowance: cw.SizeAllowance}
		if w.allowance == 0 {
			w.allowance = 10 << 30
		}
		s.workspaces = append(s.workspaces, w)
		for _, cm := range cw.Models {
			m := s.buildModel(w, cm)
			w.models = append(w.models, m)
			s.models = append(s.models, m)
		}
	}
	for _, m := range s.models {
		for _, r := range m.objects {
			if r.imports != nil && r.imports.SourceModel != "" {
				r.source = s.modelNamed(r.imports.SourceModel)
			}
		}
	}
}

func (s *Simulator) modelNamed(name string) *model {
	for _, m := range s.models {
		if m.name == name || m.workspace.name+"/"+m.name == name {
			return m
		}
	}
	return nil
}

func (s *Simulator) buildModel(w *workspace, cm Model) *model {
	n := numbers{}
	m := &model{
		workspace: w, id: or(cm.ID, strings.ToUpper(hexID("model", w.name, cm.Name))), name: cm.Name,
		state: or(cm.State, "UNLOCKED"), categories: cm.Categories, closed: cm.Closed,
		loading: orDuration(cm.LoadTime, 20*time.Second), time: cm.Time, versions: cm.Versions,
		current: cm.CurrentPeriod, free: s.t,
	}
	for _, cl := range cm.Lists {
		m.lists = append(m.lists, newList(n.next(cl.ID, "101"), cl))
	}
	for _, cm := range cm.Modules {
		mod := &module{id: n.next(cm.ID, "102"), name: cm.Name, dimensions: cm.Dimensions, cells: map[string]string{}}
		for _, li := range cm.LineItems {
			li.ID = n.next(li.ID, "206")
			li.Format = strings.ToLower(or(li.Format, "number"))
			mod.lineItems = append(mod.lineItems, li)
		}
		mod.fill(cm.Cells)
		m.modules = append(m.modules, mod)
	}
	for _, cf := range cm.Files {
		m.files = append(m.files, newFile(n.next(cf.ID, "113"), cf))
	}
	for _, ci := range cm.Imports {
		r := &runnable{kind: "import", id: n.next(ci.ID, "112"), name: ci.Name, imports: &ci, duration: ci.Duration}
		r.file = m.fileNamed(ci.File)
		m.objects = append(m.objects, r)
	}
	for _, ce := range cm.Exports {
		r := &runnable{kind: "export", id: n.next(ce.ID, "116"), name: ce.Name, exports: &ce, duration: ce.Duration}
		r.file = &file{id: r.id, name: ce.Name, export: true, private: map[*user]*content{}, shown: map[*user]int{}}
		m.files = append(m.files, r.file)
		m.objects = append(m.objects, r)
	}
	for _, ca := range cm.Actions {
		m.objects = append(m.objects, &runnable{kind: "action", id: n.next(ca.ID, "117"), name: ca.Name, action: &ca, duration: ca.Duration})
	}
	for _, cp := range cm.Processes {
		r := &runnable{kind: "process", id: n.next(cp.ID, "118"), name: cp.Name}
		for _, name := range cp.Actions {
			for _, o := range m.objects {
				if o.kind != "process" && (o.name == name || o.id == name) {
					r.steps = append(r.steps, o)
				}
			}
		}
		m.objects = append(m.objects, r)
	}
	for _, r := range m.objects {
		r.duration = s.scaled(orDuration(r.duration, 2*time.Second))
		r.dumps = map[*user]*dump{}
	}
	m.loading = s.scaled(m.loading)
	m.lastFile = n["113"]
	return m
}

func (m *model) object(kind, id string) *runnable {
	for _, r := range m.objects {
		if r.kind == kind && r.id == id {
			return r
		}
	}
	return nil
}

// role of the user in the model: "none", "user" or "admin".
func (u *user) role(m *model) string {
	for _, key := range []string{m.workspace.name + "/" + m.name, m.name, "*"} {
		if role, ok := u.access[key]; ok {
			return role
		}
	}
	return "user"
}
