package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Append takes secrets out of the texts of events before they are written. See
// [ledger.Ledger].
func (b *book) Append(ctx context.Context, run ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	for i, e := range events { // in the caller's own events, which it compares with what was written if it is in doubt
		events[i].Body = clean(b.filter, e.Body)
	}
	return b.Ledger.Append(ctx, run, after, epoch, events...)
}

// clean takes secrets out of what an event says in words: ours, a server's, a program's.
// The names, ids, hosts and paths in it stay as they are: a run is continued by them, and
// a password may be a word that stands in them by chance.
func clean(f *secret.Filter, body ledger.Body) ledger.Body {
	switch e := body.(type) {
	case ledger.JobRepaired:
		e.Changes = cleanAll(f, e.Changes)
		return e
	case ledger.StepReopened:
		e.Why = f.Text(e.Why)
		return e
	case ledger.Waiting:
		e.Text = f.Text(e.Text)
		return e
	case ledger.StartRefused:
		e.Text = f.Text(e.Text)
		return e
	case ledger.StartUnknown:
		e.Text = f.Text(e.Text)
		return e
	case ledger.StartSettled:
		e.Text = f.Text(e.Text)
		return e
	case ledger.TaskSeen:
		e.Step = f.Text(e.Step)
		return e
	case ledger.CancelAsked:
		e.Reason, e.Error = f.Text(e.Reason), f.Text(e.Error)
		return e
	case ledger.TaskEnded:
		e.Step, e.Result = f.Text(e.Step), cleanResult(f, e.Result)
		return e
	case ledger.DumpSaved:
		e.Dump, e.Error = cleanDump(f, e.Dump), f.Text(e.Error)
		return e
	case ledger.SourceMoved:
		e.Error = f.Text(e.Error)
		return e
	case ledger.CommandEnded:
		e.Tail, e.Error = cleanAll(f, e.Tail), f.Text(e.Error)
		return e
	case ledger.Warned:
		e.Text = f.Text(e.Text)
		return e
	case ledger.TryFailed:
		e.Text = f.Text(e.Text)
		return e
	case ledger.StepEnded:
		e.Message, e.Next = f.Text(e.Message), f.Text(e.Next)
		e.Actions = slices.Clone(e.Actions)
		for i := range e.Actions {
			a := &e.Actions[i]
			a.Message, a.Texts = f.Text(a.Message), cleanAll(f, a.Texts)
			if a.Dump != nil {
				dump := cleanDump(f, *a.Dump)
				a.Dump = &dump
			}
		}
		return e
	case ledger.StopAsked:
		e.Text = f.Text(e.Text)
		return e
	case ledger.RunEnded:
		e.Message, e.Next = f.Text(e.Message), f.Text(e.Next)
		return e
	}
	return body
}

func cleanAll(f *secret.Filter, texts []string) []string {
	texts = slices.Clone(texts)
	for i, text := range texts {
		texts[i] = f.Text(text)
	}
	return texts
}

func cleanDump(f *secret.Filter, dump ledger.DumpStats) ledger.DumpStats {
	dump.Reasons = slices.Clone(dump.Reasons)
	for i := range dump.Reasons {
		dump.Reasons[i].Text = f.Text(dump.Reasons[i].Text)
	}
	return dump
}

// cleanResult takes secrets out of the messages of a task's result, which stays as it came
// if there are none.
func cleanResult(f *secret.Filter, result json.RawMessage) json.RawMessage {
	if f.Text(string(result)) == string(result) {
		return result
	}
	dec := json.NewDecoder(bytes.NewReader(result))
	dec.UseNumber()
	var all any
	if dec.Decode(&all) != nil {
		return result
	}
	cleanMessages(f, all)
	if b, err := json.Marshal(all); err == nil {
		return b
	}
	return result
}

func cleanMessages(f *secret.Filter, in any) {
	switch in := in.(type) {
	case []any:
		for _, v := range in {
			cleanMessages(f, v)
		}
	case map[string]any:
		for name, v := range in {
			if text, ok := v.(string); ok && name == "localMessageText" {
				in[name] = f.Text(text)
				continue
			}
			cleanMessages(f, v)
		}
	}
}
