package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// version is the version of the envelope in which events are stored.
const version = 1

// envelope is how an event is stored.
type envelope struct {
	Version int             `json:"v"`
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Step    string          `json:"step,omitempty"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
}

// UnknownKindError says that a ledger holds an event that this program does not know: a
// newer one wrote it. Nothing may be decided from the events before it alone.
type UnknownKindError struct {
	Kind    string
	Version int
	Seq     int64
}

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("event %d is of kind %q, version %d, which this program does not know; use the newer program that wrote it",
		e.Seq, e.Kind, e.Version)
}

// decoders read the body of each kind. A kind that is not here is unknown.
var decoders = map[string]func([]byte) (Body, error){
	"run_created":     decode[RunCreated],
	"run_continued":   decode[RunContinued],
	"run_resolved":    decode[RunResolved],
	"job_repaired":    decode[JobRepaired],
	"step_reopened":   decode[StepReopened],
	"start_settled":   decode[StartSettled],
	"step_started":    decode[StepStarted],
	"waiting":         decode[Waiting],
	"source_uploaded": decode[SourceUploaded],
	"intent":          decode[Intent],
	"task_started":    decode[TaskStarted],
	"start_refused":   decode[StartRefused],
	"start_unknown":   decode[StartUnknown],
	"task_seen":       decode[TaskSeen],
	"cancel_asked":    decode[CancelAsked],
	"task_ended":      decode[TaskEnded],
	"dump_saved":      decode[DumpSaved],
	"target_placing":  decode[TargetPlacing],
	"target_written":  decode[TargetWritten],
	"source_moved":    decode[SourceMoved],
	"command_started": decode[CommandStarted],
	"command_ended":   decode[CommandEnded],
	"warned":          decode[Warned],
	"try_failed":      decode[TryFailed],
	"step_ended":      decode[StepEnded],
	"stop_asked":      decode[StopAsked],
	"run_ended":       decode[RunEnded],
}

// Kinds are the names of all kinds of events, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(decoders)) }

func decode[B Body](data []byte) (Body, error) {
	var b B
	err := json.Unmarshal(data, &b)
	return b, err
}

// Encode writes an event as it is stored: one JSON object.
func Encode(e Event) ([]byte, error) {
	if e.Body == nil {
		return nil, fmt.Errorf("encode event %d: it has no body", e.Seq)
	}
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil, fmt.Errorf("encode event %d, %s: %w", e.Seq, e.Body.Kind(), err)
	}
	return json.Marshal(envelope{version, e.Seq, e.At.UTC(), e.Step, e.Body.Kind(), body})
}

// Decode reads what Encode wrote. Fields that it does not know are left out: they were
// added by a newer program to a kind whose meaning did not change. A kind that it does
// not know is an *UnknownKindError. An error comes with a zero event.
func Decode(data []byte) (Event, error) {
	var v envelope
	if err := json.Unmarshal(data, &v); err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	read, ok := decoders[v.Kind]
	if !ok || v.Version != version {
		return Event{}, &UnknownKindError{Kind: v.Kind, Version: v.Version, Seq: v.Seq}
	}
	body, err := read(v.Body)
	if err != nil {
		return Event{}, fmt.Errorf("decode event %d, %s: %w", v.Seq, v.Kind, err)
	}
	return Event{Seq: v.Seq, At: v.At, Step: v.Step, Body: body}, nil
}
