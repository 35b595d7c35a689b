package simulator

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a task (anaplan-api.md 11.2).
const (
	notStarted = "NOT_STARTED"
	inProgress = "IN_PROGRESS"
	complete   = "COMPLETE"
	cancelling = "CANCELLING"
	cancelled  = "CANCELLED"
)

// A task is one run of an object. It moves through its steps by events of its model (advance.go).
type task struct {
	id      string
	model   *model
	object  *runnable
	user    *user
	prompts []prompt
	state   string
	created time.Time
	started time.Time
	ended   time.Time

	steps     []*runnable // what is run in order: the process's actions, or the object alone
	step      int
	stepStart time.Time
	stepEnd   time.Time
	cancelEnd time.Time
	canceller *user
	failed    bool // an action could not run and ended the process

	source  *content // that the running import began to read
	changes int      // its state at that time
	before  []byte

	results    []*result
	successful bool
	dump       bool
	sparse     bool   // answers leave out what is sometimes left out
	request    int    // its number among the requests; -1 of a stranger's
	stranger   bool   // not by a request
	read       []Data // what its imports read
	wrote      []Data
	dumped     []Data
	polls      int
	polled     time.Time
	quick      bool // too quick polling was noted
}

// A prompt is a mapping parameter: the answer to what an import asks (11.1).
type prompt struct {
	Type   string `json:"entityType"`
	Name   string `json:"entityName"`
	Import string `json:"importId"`
}

// A result of one import, export or action.
type result struct {
	object     *runnable
	successful bool
	dump       bool
	ran        bool // false: it could not run at all
	details    []detail
	started    time.Time
	duration   time.Duration
}

// A detail has keys and values in the order that we think of; the answer shuffles them.
type detail struct {
	kind, text string
	values     []string
}

func (t *task) over() bool { return t.state == complete || t.state == cancelled }

// current is what runs now, or will first.
func (t *task) current() *runnable {
	if t.step < len(t.steps) {
		return t.steps[t.step]
	}
	return t.object
}

func (t *task) label() string {
	if r := t.current(); r != t.object {
		return t.object.name + " / " + r.name
	}
	return t.object.name
}

// reads says whether the task has yet to finish reading the file.
func (t *task) reads(f *file) bool {
	if t.over() {
		return false
	}
	for _, r := range t.steps[min(t.step, len(t.steps)):] {
		if r.kind == "import" && r.file == f {
			return true
		}
	}
	return false
}

// prompted finds the answer to a prompt of an import.
func (t *task) prompted(r *runnable, entity string) (string, bool) {
	for _, p := range t.prompts {
		if p.Type == entity && (p.Import == "" || p.Import == r.id) {
			return p.Name, true
		}
	}
	return "", false
}

func (t *task) record() TaskRecord {
	r := TaskRecord{
		ID: t.id, Workspace: t.model.workspace.name, Model: t.model.name, Kind: t.object.kind,
		ObjectID: t.object.id, Object: t.object.name, User: t.user.email, State: t.state,
		Created: t.created, Started: t.started, Ended: t.ended,
		Successful: t.state == complete && t.successful, DumpRecorded: t.dump,
		Stranger: t.stranger, Request: t.request, Read: slices.Clone(t.read), Wrote: slices.Clone(t.wrote), Dumped: slices.Clone(t.dumped),
	}
	if t.object.kind == "process" {
		for _, done := range t.results {
			r.Actions = append(r.Actions, done.object.name)
		}
	}
	return r
}

func dataOf(object, file string, data []byte) Data {
	return Data{Object: object, File: file, Bytes: len(data), SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}
}

func (s *Simulator) taskID() string {
	return strings.ToUpper(fmt.Sprintf("%016x%016x", s.rng.Uint64(), s.rng.Uint64()))
}

// progress from 0 to 1 over all steps.
func (s *Simulator) progress(t *task) float64 {
	switch {
	case t.over():
		return 1
	case t.state == notStarted:
		return 0
	}
	var total, done time.Duration
	for i, r := range t.steps {
		total += r.duration
		if i < t.step {
			done += r.duration
		}
	}
	done += min(s.t.Sub(t.stepStart), t.current().duration)
	return min(0.99, float64(done)/float64(max(total, 1)))
}
