package anaplan_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// answerKind is what a call's answer consists of, when it goes well.
type answerKind int

const (
	jsonAnswer answerKind = iota
	noAnswer              // an empty body
	content               // bytes, handed to the caller unread
)

// call is one way to use a method of the client, and whether its request may be sent
// again though it may have happened.
type call struct {
	repeated bool
	answer   answerKind
	prepare  func(n *tenant) func(context.Context) error
}

func simple(f func(*tenant, context.Context) error) func(*tenant) func(context.Context) error {
	return func(n *tenant) func(context.Context) error {
		return func(ctx context.Context) error { return f(n, ctx) }
	}
}

func drain[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func lists[T any](f func(*tenant, context.Context) iter.Seq2[T, error]) call {
	return call{repeated: true, prepare: simple(func(n *tenant, ctx context.Context) error { return drain(f(n, ctx)) })}
}

func detail[T any](kind anaplan.Kind, name string, f func(*tenant, context.Context, anaplan.Object) (T, error)) call {
	return call{repeated: true, prepare: func(n *tenant) func(context.Context) error {
		o := n.object(kind, name)
		return func(ctx context.Context) error { _, err := f(n, ctx, o); return err }
	}}
}

// uploading prepares a file; begun says that its chunk count is set.
func uploading(answer answerKind, begun bool, f func(*tenant, context.Context, string) error) call {
	return call{repeated: true, answer: answer, prepare: func(n *tenant) func(context.Context) error {
		file := n.file()
		if begun {
			n.must(n.client.SetChunkCount(n.Context(), n.hub, file, 1))
		}
		return func(ctx context.Context) error { return f(n, ctx, file) }
	}}
}

// uploaded prepares a file with content.
func uploaded(answer answerKind, f func(*tenant, context.Context, string) error) call {
	return call{repeated: true, answer: answer, prepare: func(n *tenant) func(context.Context) error {
		file := n.upload()
		return func(ctx context.Context) error { return f(n, ctx, file) }
	}}
}

func dumping(answer answerKind, f func(*tenant, context.Context, anaplan.Dump) error) call {
	return call{repeated: true, answer: answer, prepare: func(n *tenant) func(context.Context) error {
		o := n.object(anaplan.KindImport, "Load Sales")
		task := n.run(o)
		return func(ctx context.Context) error { return f(n, ctx, anaplan.Dump{Object: o, TaskID: task.ID}) }
	}}
}

func tasks(f func(*tenant, context.Context, anaplan.Object, string) error) call {
	return call{repeated: true, prepare: func(n *tenant) func(context.Context) error {
		o := n.object(anaplan.KindExport, "Sales Out")
		task, err := n.client.Start(n.Context(), o, anaplan.StartOptions{Locale: "en_US"})
		n.must(err)
		return func(ctx context.Context) error { return f(n, ctx, o, task.ID) }
	}}
}

func starting(kind anaplan.Kind, name string) call {
	return call{prepare: func(n *tenant) func(context.Context) error {
		o := n.object(kind, name)
		n.upload()
		return func(ctx context.Context) error {
			_, err := n.client.Start(ctx, o, anaplan.StartOptions{Locale: "en_US", Mapping: actual})
			return err
		}
	}}
}

func read(body io.ReadCloser, err error) error {
	_, err = readAll(body, err)
	return err
}

// calls has an entry for every method of the client that asks Anaplan something.
// TestEveryCallIsListed sees to it.
var calls = map[string][]call{
	"Me": {{repeated: true, prepare: simple(func(n *tenant, ctx context.Context) error { _, err := n.client.Me(ctx); return err })}},
	"Model": {{repeated: true, prepare: simple(func(n *tenant, ctx context.Context) error {
		_, err := n.client.Model(ctx, n.hub.Model)
		return err
	})}},
	"Status": {{repeated: true, prepare: simple(func(n *tenant, ctx context.Context) error {
		_, err := n.client.Status(ctx, n.hub)
		return err
	})}},
	"Open": {{repeated: true, answer: noAnswer, prepare: simple(func(n *tenant, ctx context.Context) error { return n.client.Open(ctx, n.hub) })}},
	"Workspaces": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Workspace, error] {
		return n.client.Workspaces(ctx)
	})},
	"Models": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Model, error] {
		return n.client.Models(ctx, n.hub.Workspace)
	})},
	"AllModels": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Model, error] { return n.client.AllModels(ctx) })},
	"Files":     {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.File, error] { return n.client.Files(ctx, n.hub) })},
	"Imports": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Import, error] {
		return n.client.Imports(ctx, n.hub)
	})},
	"Exports": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Export, error] {
		return n.client.Exports(ctx, n.hub)
	})},
	"Processes": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Process, error] {
		return n.client.Processes(ctx, n.hub)
	})},
	"Actions": {lists(func(n *tenant, ctx context.Context) iter.Seq2[anaplan.Action, error] {
		return n.client.Actions(ctx, n.hub)
	})},
	"ImportDetail": {detail(anaplan.KindImport, "Load Sales", func(n *tenant, ctx context.Context, o anaplan.Object) (anaplan.ImportDetail, error) {
		return n.client.ImportDetail(ctx, n.hub, o.ID)
	})},
	"ExportDetail": {detail(anaplan.KindExport, "Sales Out", func(n *tenant, ctx context.Context, o anaplan.Object) (anaplan.ExportDetail, error) {
		return n.client.ExportDetail(ctx, n.hub, o.ID)
	})},
	"ProcessDetail": {detail(anaplan.KindProcess, "Night", func(n *tenant, ctx context.Context, o anaplan.Object) (anaplan.ProcessDetail, error) {
		return n.client.ProcessDetail(ctx, n.hub, o.ID)
	})},
	"ActionDetail": {detail(anaplan.KindAction, "Purge", func(n *tenant, ctx context.Context, o anaplan.Object) (anaplan.ActionDetail, error) {
		return n.client.ActionDetail(ctx, n.hub, o.ID)
	})},
	"SetChunkCount": {
		uploading(jsonAnswer, false, func(n *tenant, ctx context.Context, f string) error { return n.client.SetChunkCount(ctx, n.hub, f, 2) }),
		uploading(jsonAnswer, false, func(n *tenant, ctx context.Context, f string) error {
			return n.client.SetChunkCount(ctx, n.hub, f, anaplan.UnknownLength)
		}),
	},
	"PutChunk": {uploading(noAnswer, true, func(n *tenant, ctx context.Context, f string) error {
		return n.client.PutChunk(ctx, n.hub, f, 0, text(salesCSV))
	})},
	"PutFile": {uploading(noAnswer, false, func(n *tenant, ctx context.Context, f string) error {
		return n.client.PutFile(ctx, n.hub, f, text(salesCSV))
	})},
	"Complete": {uploading(jsonAnswer, true, func(n *tenant, ctx context.Context, f string) error { return n.client.Complete(ctx, n.hub, f) })},
	"Chunks": {uploaded(jsonAnswer, func(n *tenant, ctx context.Context, f string) error {
		_, err := n.client.Chunks(ctx, n.hub, f)
		return err
	})},
	"GetChunk": {uploaded(content, func(n *tenant, ctx context.Context, f string) error {
		return read(n.client.GetChunk(ctx, n.hub, f, "0"))
	})},
	"GetFile":    {uploaded(content, func(n *tenant, ctx context.Context, f string) error { return read(n.client.GetFile(ctx, n.hub, f)) })},
	"DeleteFile": {uploaded(noAnswer, func(n *tenant, ctx context.Context, f string) error { return n.client.DeleteFile(ctx, n.hub, f) })},
	"DumpChunks": {dumping(jsonAnswer, func(n *tenant, ctx context.Context, d anaplan.Dump) error {
		_, err := n.client.DumpChunks(ctx, d)
		return err
	})},
	"GetDumpChunk": {dumping(content, func(n *tenant, ctx context.Context, d anaplan.Dump) error {
		return read(n.client.GetDumpChunk(ctx, d, "0"))
	})},
	"Tasks": {tasks(func(n *tenant, ctx context.Context, o anaplan.Object, _ string) error {
		return drain(n.client.Tasks(ctx, o))
	})},
	"Task": {tasks(func(n *tenant, ctx context.Context, o anaplan.Object, id string) error {
		_, err := n.client.Task(ctx, o, id)
		return err
	})},
	"Cancel": {tasks(func(n *tenant, ctx context.Context, o anaplan.Object, id string) error {
		_, err := n.client.Cancel(ctx, o, id)
		return err
	})},
	"Start": {
		starting(anaplan.KindImport, "Load Sales"), starting(anaplan.KindExport, "Sales Out"),
		starting(anaplan.KindProcess, "Night"), starting(anaplan.KindAction, "Purge"),
	},
}

// local are methods that ask nobody.
var local = []string{"ServerTime"}

func TestEveryCallIsListed(t *testing.T) {
	c := reflect.TypeFor[*anaplan.Client]()
	for i := range c.NumMethod() {
		name := c.Method(i).Name
		if _, listed := calls[name]; !listed && !slices.Contains(local, name) {
			t.Errorf("%s has no entry in calls: say whether its request may be repeated", name)
		}
	}
	for name := range calls {
		if _, there := c.MethodByName(name); !there {
			t.Errorf("%s is listed, and is no method", name)
		}
	}
}

// disturbance is something that befalls the first request of a call, once.
type disturbance struct {
	name  string
	fault simulator.Fault
	date  time.Duration // Retry-After is a date that much later
	// The first attempt takes so long, and what follows is waited for between these.
	takes, least, most time.Duration
	unknown            bool // whether a start may have started
	effect             bool // and has
}

const backoffLeast, backoffMost = 1500 * time.Millisecond, 3 * time.Second

var disturbances = []disturbance{
	{name: "429 with seconds", fault: simulator.Fault{Status: 429, RetryAfter: "7"}, least: 7 * time.Second, most: 7 * time.Second},
	{name: "429 with a date", fault: simulator.Fault{Status: 429}, date: 40 * time.Second, least: 40 * time.Second, most: 40 * time.Second},
	{name: "429 without", fault: simulator.Fault{Status: 429, Body: "html"}, least: 10 * time.Second, most: 10 * time.Second},
	{name: "429, negative", fault: simulator.Fault{Status: 429, RetryAfter: "-5", Body: "empty"}, least: backoffLeast, most: backoffMost},
	{name: "500", fault: simulator.Fault{Status: 500}, least: backoffLeast, most: backoffMost, unknown: true},
	{name: "502 with a page", fault: simulator.Fault{Status: 502, Body: "html"}, least: backoffLeast, most: backoffMost, unknown: true},
	{name: "502 after the effect", fault: simulator.Fault{Status: 502, Body: "html", Took: true}, least: backoffLeast, most: backoffMost, unknown: true, effect: true},
	{name: "503 with seconds", fault: simulator.Fault{Status: 503, Body: "empty", RetryAfter: "20"}, least: 20 * time.Second, most: 20 * time.Second, unknown: true},
	{name: "504", fault: simulator.Fault{Status: 504, Body: "html"}, least: backoffLeast, most: backoffMost, unknown: true},
	{name: "408", fault: simulator.Fault{Status: 408}, least: backoffLeast, most: backoffMost, unknown: true},
	{name: "reset before", fault: simulator.Fault{Drop: "before"}, least: backoffLeast, most: backoffMost, unknown: true},
	{name: "reset after", fault: simulator.Fault{Drop: "after"}, least: backoffLeast, most: backoffMost, unknown: true, effect: true},
	{name: "no answer", fault: simulator.Fault{Delay: time.Hour}, takes: 5 * time.Minute, least: backoffLeast, most: backoffMost, unknown: true},
}

// The wrappers repeat what may be repeated, after exactly the wait that they tell, and
// send the start of a task once.
func TestWhatIsRepeated(t *testing.T) {
	for name, variants := range calls {
		for _, c := range variants {
			for _, d := range disturbances {
				t.Run(name+"/"+d.name, func(t *testing.T) {
					inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) { n.disturbed(c, d) })
				})
			}
		}
	}
}

func (n *tenant) disturbed(c call, d disturbance) {
	do := c.prepare(n)
	n.prepared()
	started := len(n.sim.Tasks())
	if d.date > 0 {
		d.fault.RetryAfter = time.Now().Add(d.date).UTC().Format(http.TimeFormat)
	}
	n.sim.AddFaults(d.fault)
	began := time.Now()
	err := do(n.Context())
	requests := n.requests()
	if !c.repeated {
		if len(requests) != 1 || len(n.waits) != 0 {
			n.Errorf("%d requests, %d waits", len(requests), len(n.waits))
		}
		if e, ok := errors.AsType[*anaplan.StartError](err); !ok || e.Unknown != d.unknown {
			n.Errorf("got %v, want a *StartError with Unknown %v", err, d.unknown)
		}
		if got := len(n.sim.Tasks()) - started; got > 1 || (got == 1) != d.effect {
			n.Errorf("%d tasks were started", got)
		}
		if time.Since(began) != d.takes {
			n.Errorf("took %v, want %v", time.Since(began), d.takes)
		}
		return
	}
	if err != nil {
		n.Errorf("got %v", err)
	}
	if len(requests) != 2 || len(n.waits) != 1 || requests[1].Status/100 != 2 {
		n.Fatalf("%d waits, requests %+v", len(n.waits), requests)
	}
	if got := requests[1].At.Sub(requests[0].At); got != d.takes+n.waits[0] {
		n.Errorf("the second request came %v after the first, want %v and %v", got, d.takes, n.waits[0])
	}
	if n.waits[0] < d.least || n.waits[0] > d.most {
		n.Errorf("waited %v, want %v to %v", n.waits[0], d.least, d.most)
	}
}

// An answer that breaks off is repeated like one that did not come; but not bytes that
// the caller has begun to read, and not a start.
func TestAnswersThatBreakOff(t *testing.T) {
	for name, variants := range calls {
		for _, c := range variants {
			if c.answer == noAnswer {
				continue // there is nothing to break
			}
			t.Run(name, func(t *testing.T) {
				inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
					do := c.prepare(n)
					n.prepared()
					n.sim.AddFaults(simulator.Fault{Truncate: true})
					err := do(n.Context())
					switch {
					case c.answer == content:
						if !errors.Is(err, io.ErrUnexpectedEOF) || len(n.requests()) != 1 {
							n.Errorf("%d requests, got %v", len(n.requests()), err)
						}
					case c.repeated:
						if err != nil || len(n.requests()) != 2 || len(n.waits) != 1 {
							n.Errorf("%d requests, got %v", len(n.requests()), err)
						}
					default:
						if !errors.Is(err, anaplan.ErrStartUnknown) || !errors.Is(err, anaplan.ErrBrokenOff) || len(n.requests()) != 1 {
							n.Errorf("%d requests, got %v", len(n.requests()), err)
						}
					}
				})
			})
		}
	}
}

func TestRepeatingEnds(t *testing.T) {
	for name, variants := range calls {
		c := variants[0]
		t.Run(name, func(t *testing.T) {
			inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
				do := c.prepare(n)
				n.prepared()
				n.sim.AddFaults(simulator.Fault{Status: 502, Body: "html", Count: -1})
				err := do(n.Context())
				e, ok := errors.AsType[*anaplan.Error](err)
				if !ok || e.Status != 502 || e.JSON || e.Message != "502 Bad Gateway 502 Bad Gateway nginx" || !errors.Is(err, anaplan.ErrUnavailable) {
					n.Errorf("got %v", err)
				}
				want := 1
				if c.repeated {
					want = 5
				}
				if len(n.requests()) != want {
					n.Errorf("%d requests, want %d", len(n.requests()), want)
				}
			})
		})
	}
}

// A cancel ends every call at once, with its cause, also while it waits to repeat.
func TestACancelEndsEveryCall(t *testing.T) {
	cause := errors.New("stopped by SIGTERM")
	for name, variants := range calls {
		c := variants[0]
		for what, fault := range map[string]simulator.Fault{"waiting": {Status: 503, RetryAfter: "60"}, "hanging": {Delay: time.Hour}} {
			t.Run(name+"/"+what, func(t *testing.T) {
				inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
					do := c.prepare(n)
					n.sim.AddFaults(fault)
					ctx, cancel := context.WithCancelCause(n.Context())
					began := time.Now()
					time.AfterFunc(20*time.Second, func() { cancel(cause) })
					err := do(ctx)
					if !c.repeated && what == "waiting" {
						return // it does not wait
					}
					if !errors.Is(err, cause) || time.Since(began) != 20*time.Second {
						n.Errorf("after %v: %v", time.Since(began), err)
					}
				})
			})
		}
	}
}
