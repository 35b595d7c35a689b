package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// runnable finds the object that the path names.
func (c *call) runnable() *runnable { return c.model.object(kinds[c.params[0]], c.params[1]) }

// task finds the task under its parent; it exists nowhere else (anaplan-api.md 11.2).
func (c *call) task() *task {
	if r := c.runnable(); r != nil {
		for _, t := range r.tasks {
			if t.id == c.params[2] {
				return t
			}
		}
	}
	return nil
}

// startTask creates a task, which waits until the model's earlier ones are over.
func (s *Simulator) startTask(c *call) answer {
	r := c.runnable()
	if r == nil {
		s.misused(c, "there is no such object")
		return s.notFound(c)
	}
	var in struct {
		Locale  string   `json:"localeName"`
		Prompts []prompt `json:"mappingParameters"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		s.misused(c, "the body is not the JSON of a start: %v", err)
		return s.refuse(c, http.StatusBadRequest, "Bad Request")
	}
	if in.Locale == "" {
		s.misused(c, "localeName is missing")
		return s.refuse(c, http.StatusBadRequest, "localeName is mandatory")
	}
	if a, refused := s.stateRefuses(c); refused {
		return a
	}
	if s.switches.StartBusy409 && len(c.model.queue) > 0 {
		return s.refuse(c, http.StatusConflict, "Conflict")
	}
	s.noteStart(c, r)
	t := s.newTask(c.model, r, c.user)
	t.prompts, t.request = in.Prompts, c.record
	if s.switches.BareTaskID {
		return jsonAnswer(http.StatusOK, object{"taskId": t.id})
	}
	return c.success("task", "task", object{"taskId": t.id, "taskState": t.state, "creationTime": t.created.UnixMilli()})
}

func (s *Simulator) newTask(m *model, r *runnable, u *user) *task {
	t := &task{
		id: s.taskID(), model: m, object: r, user: u, state: notStarted,
		created: s.t, steps: r.steps, sparse: !s.switches.UniformDetails && s.rng.IntN(4) == 0,
	}
	if r.kind != "process" {
		t.steps = []*runnable{r}
	}
	s.tasks = append(s.tasks, t)
	r.tasks = append(r.tasks, t)
	m.queue = append(m.queue, t)
	return t
}

// stateRefuses is the answer of a model that is archived, locked or offline (6.2).
func (s *Simulator) stateRefuses(c *call) (answer, bool) {
	if s.switches.StateIgnored {
		return answer{}, false
	}
	switch s.state(c.model) {
	case "ARCHIVED":
		return s.refuse(c, http.StatusUnprocessableEntity, "Model archived"), true
	case "LOCKED":
		return s.refuse(c, http.StatusLocked, "Model locked"), true
	case "MAINTENANCE", "PRODUCTION_MAINTENANCE":
		return s.refuse(c, http.StatusFailedDependency, "Model offline"), true
	}
	return answer{}, false
}

func (s *Simulator) noteStart(c *call, r *runnable) {
	if !s.switches.ParallelTasks {
		for _, t := range c.model.queue {
			if t.user == c.user && !t.stranger {
				s.misused(c, "starts %s %q while task %s of the same user on this model is not over", r.kind, r.name, t.id)
				break
			}
		}
	}
	for _, t := range c.model.queue {
		if t.user == c.user && t.object == r && r.kind == "export" && !t.stranger {
			s.misused(c, "starts export %q twice at once", r.name)
		}
	}
	steps := r.steps
	if r.kind != "process" {
		steps = []*runnable{r}
	}
	for _, step := range steps {
		if step.kind == "import" && step.file != nil {
			if up := s.own(step.file, c.user); up != nil && !up.complete() && !s.switches.IncompleteImportable {
				s.misused(c, "%q reads %s, whose upload is not complete", step.name, step.file.name)
			}
		}
	}
}

func (s *Simulator) getTask(c *call) answer {
	t := c.task()
	if t == nil {
		s.misused(c, "there is no such task under this object")
		return s.notFound(c)
	}
	s.notePoll(c, t)
	return c.success("task", "task", s.taskObject(c, t))
}

// notePoll notes polling that is on average quicker than every 5 s (5), with two polls to spare.
func (s *Simulator) notePoll(c *call, t *task) {
	every := orDuration(s.switches.PollEvery, s.scaled(5*time.Second))
	if t.polls == 0 {
		t.polled = s.t
	}
	t.polls++
	if every > 0 && !t.quick && time.Duration(t.polls-3)*every*9/10 > s.t.Sub(t.polled) {
		t.quick = true
		s.misused(c, "%d polls in %s, faster than every %s", t.polls, s.t.Sub(t.polled), every)
	}
}

func (s *Simulator) taskObject(c *call, t *task) object {
	o := object{"taskId": t.id, "taskState": t.state, "progress": s.progress(t)}
	if !t.sparse {
		o["type"] = "taskInformation"
	}
	if !t.sparse || !s.switches.SparseTasks {
		o["creationTime"] = t.created.UnixMilli()
	}
	switch t.state {
	case notStarted:
		if !t.sparse || !s.switches.SparseTasks {
			o["currentStep"] = "Waiting to start"
		}
	case inProgress:
		o["currentStep"] = "Processing " + t.current().kind + " " + t.current().name
	case cancelling:
		o["currentStep"] = "Cancelling"
		o["cancelledBy"] = t.canceller.email
	case cancelled:
		o["currentStep"] = "Cancelled."
		o["cancelledBy"] = t.canceller.email
		o["result"] = s.resultObject(c, t)
	case complete:
		o["currentStep"] = "Complete."
		if t.failed {
			o["currentStep"] = "Failed."
		}
		o["result"] = s.resultObject(c, t)
	}
	return o
}

func (s *Simulator) resultObject(c *call, t *task) object {
	withTimes := c.query.Get("includeProcessDetails") == "true"
	o := object{"objectId": t.object.id, "successful": t.state == complete && t.successful, "failureDumpAvailable": t.dump}
	if !t.sparse {
		o["objectName"] = t.object.name
	}
	if t.state == cancelled {
		kind := "msgImportCancelled"
		if t.current().kind == "export" {
			kind = "msgExportCancelled"
		}
		o["details"] = s.details(t, []detail{{kind: kind, text: "The task was cancelled by " + t.canceller.email}})
	}
	if t.object.kind != "process" {
		if t.state == complete && len(t.results) > 0 && len(t.results[0].details) > 0 {
			o["details"] = s.details(t, t.results[0].details)
		}
		return o
	}
	var nested []object
	for i, r := range t.results {
		n := object{"objectId": r.object.id, "successful": r.successful, "failureDumpAvailable": r.dump}
		if s.switches.UniformDetails || (i+len(t.id))%3 != 2 {
			n["objectName"] = r.object.name
		}
		if len(r.details) > 0 {
			n["details"] = s.details(t, r.details)
		}
		if withTimes {
			n["duration"] = strconv.FormatInt(r.duration.Milliseconds(), 10)
			n["startTime"] = strconv.FormatInt(r.started.UnixMilli(), 10)
		}
		nested = append(nested, n)
	}
	if len(nested) > 0 {
		o["nestedResults"] = nested
	}
	if withTimes && !t.ended.IsZero() && !t.started.IsZero() {
		o["duration"] = strconv.FormatInt(t.ended.Sub(t.started).Milliseconds(), 10)
		o["startTime"] = strconv.FormatInt(t.started.UnixMilli(), 10)
	}
	return o
}

// getTasks is the history: of all users, ascending, and never 404 (6.3, 11.8).
func (s *Simulator) getTasks(c *call) answer {
	var rows []object
	if r := c.runnable(); r != nil {
		for _, t := range r.tasks {
			rows = append(rows, object{"taskId": t.id, "taskState": t.state, "creationTime": t.created.UnixMilli()})
		}
	}
	laxSort(c, rows)
	return s.page(c, "task", "tasks", rows)
}

// cancelTask rolls back what runs, unless it is too late or over (11.7).
func (s *Simulator) cancelTask(c *call) answer {
	t := c.task()
	if t == nil {
		s.misused(c, "there is no such task under this object")
		return s.notFound(c)
	}
	switch {
	case t.state == notStarted:
		t.canceller = c.user
		free := t.model.free
		s.end(t, cancelled)
		t.model.free = free
	case t.state == inProgress && !s.tooLate(t):
		t.canceller = c.user
		t.state = cancelling
		t.cancelEnd = s.t.Add(s.scaled(orDuration(s.switches.CancelTime, time.Second)))
	}
	return c.success("task", "task", s.taskObject(c, t))
}

func (s *Simulator) tooLate(t *task) bool {
	part := s.switches.TooLate
	if part == 0 {
		part = 0.1
	}
	last := t.step == len(t.steps)-1
	left := float64(t.stepEnd.Sub(s.t))
	return last && left < part*float64(t.current().duration)
}

// details in the shape of (11.4): keys and values in one list, in no order, a null now and then, the
// text sometimes missing.
func (s *Simulator) details(t *task, details []detail) []object {
	rows := []object{}
	for i, d := range details {
		o := object{"type": d.kind, "occurrences": 0}
		odd := !s.switches.UniformDetails
		seed := int(t.id[i%len(t.id)]) + i
		if !odd || seed%5 != 0 {
			o["localMessageText"] = d.text
		}
		pairs := len(d.values) / 2
		values := make([]any, 0, len(d.values)+2)
		for p := range pairs {
			at := p
			if odd && pairs > 0 {
				at = (p*step(pairs) + seed) % pairs
			}
			values = append(values, d.values[2*at], d.values[2*at+1])
		}
		if odd && seed%3 == 0 {
			values = append(values, "serverAlert", nil)
		}
		o["values"] = values
		rows = append(rows, o)
	}
	return rows
}

// step is a number without a common factor with n, so that its multiples visit everything.
func step(n int) int {
	for k := n/2 + 1; ; k++ {
		a, b := k, n
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return k
		}
	}
}

// dumpParams splits the parameters of a dump's route: the action inside a process, and the chunk.
func (c *call) dumpParams() (nested string, chunk int, ok bool) {
	rest := c.params[3:]
	if strings.Contains(c.path, "/dumps/") {
		nested, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		n, err := strconv.Atoi(rest[0])
		return nested, n, err == nil
	}
	return nested, 0, true
}
