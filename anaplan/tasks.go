package anaplan

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// TaskState is where a task stands. The set is open: an unknown state means that it is
// still on its way.
type TaskState string

// The documented states (anaplan-api.md 11.2). Failed is in no document, but two clients
// know it; if it ever comes it is an end (20).
const (
	NotStarted TaskState = "NOT_STARTED"
	InProgress TaskState = "IN_PROGRESS"
	Complete   TaskState = "COMPLETE"
	Cancelling TaskState = "CANCELLING"
	Cancelled  TaskState = "CANCELLED"
	Failed     TaskState = "FAILED"
)

// Terminal says whether a task in this state has ended.
func (s TaskState) Terminal() bool { return s == Complete || s == Cancelled || s == Failed }

// Task is one execution of an object on Anaplan's side.
type Task struct {
	ID           string
	State        TaskState
	CurrentStep  string    // free text; "Complete." and "Failed." at the end; may be empty
	Progress     *float64  // 0..1; nil when absent
	CreationTime time.Time // zero when absent
	CancelledBy  string
	Result       *Result         // only in a terminal state
	RawResult    json.RawMessage // the result as it came
}

// UnmarshalJSON reads Anaplan's form.
func (t *Task) UnmarshalJSON(data []byte) error {
	var wire struct {
		ID           string          `json:"taskId"`
		State        TaskState       `json:"taskState"`
		CurrentStep  string          `json:"currentStep"`
		Progress     *float64        `json:"progress"`
		CreationTime millis          `json:"creationTime"`
		CancelledBy  string          `json:"cancelledBy"`
		Result       json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	*t = Task{ID: wire.ID, State: wire.State, CurrentStep: wire.CurrentStep, Progress: wire.Progress,
		CreationTime: time.Time(wire.CreationTime), CancelledBy: wire.CancelledBy}
	if len(wire.Result) == 0 || string(wire.Result) == "null" {
		return nil
	}
	t.RawResult, t.Result = wire.Result, new(Result)
	return json.Unmarshal(wire.Result, t.Result)
}

// millis is a time in milliseconds since 1970, as a number or a string. What cannot be
// read is the zero time: nothing that decides depends on it alone.
type millis time.Time

func (m *millis) UnmarshalJSON(data []byte) error {
	if n, ok := number(data); ok && n > 0 {
		*m = millis(time.UnixMilli(n).UTC())
	}
	return nil
}

// number reads a JSON number, or a string that holds one.
func number(data []byte) (int64, bool) {
	var s string
	if json.Unmarshal(data, &s) != nil {
		s = string(data)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != f || f < -1<<62 || f > 1<<62 {
		return 0, false
	}
	return int64(f), true
}

// Task reads the state of a task, which is known only under the object that created it
// (anaplan-api.md 11.2). A process gives the times of its actions too (11.3).
func (c *Client) Task(ctx context.Context, o Object, id string) (Task, error) {
	r := request{method: http.MethodGet, path: o.path("tasks", id)}
	if o.Kind == KindProcess {
		r.query = query("includeProcessDetails", "true")
	}
	return c.task(ctx, r)
}

// Cancel asks for a task to be cancelled. Anaplan does so only while it can roll back;
// the task is to be polled until it has ended (anaplan-api.md 11.7).
func (c *Client) Cancel(ctx context.Context, o Object, id string) (Task, error) {
	return c.task(ctx, request{method: http.MethodDelete, path: o.path("tasks", id)})
}

func (c *Client) task(ctx context.Context, r request) (Task, error) {
	var raw json.RawMessage
	if err := c.call(ctx, r, &raw); err != nil {
		return Task{}, err
	}
	if len(raw) == 0 && r.method == http.MethodDelete {
		return Task{}, nil // accepted without a word; the code is not documented
	}
	t, err := decodeTask(raw)
	if err != nil {
		return Task{}, &FormatError{Method: r.method, Path: r.path, Body: snippet(raw), Err: err}
	}
	return t, nil
}

// decodeTask reads a task in its envelope, or bare as some samples show it
// (anaplan-api.md 11.1).
func decodeTask(raw []byte) (Task, error) {
	var envelope struct {
		Task json.RawMessage `json:"task"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return Task{}, err
	}
	if len(envelope.Task) > 0 {
		raw = envelope.Task
	}
	var t Task
	if err := json.Unmarshal(raw, &t); err != nil {
		return Task{}, err
	}
	if t.ID == "" {
		return Task{}, errNoSuchKey
	}
	return t, nil
}

// Tasks lists an object's tasks, of all users. It answers 200 and nothing for an object
// that is not there, or a model without access: it proves nothing by being empty
// (anaplan-api.md 6.3, 11.8).
func (c *Client) Tasks(ctx context.Context, o Object) iter.Seq2[Task, error] {
	return list[Task](ctx, c, o.path("tasks"), "tasks", nil)
}
