package configs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	outcomes  = []OnOutcome{Stop, Continue}
	onTimeout = []string{"cancel", "detach"}
	reruns    = []string{"safe", "ask"}
)

// sharedKeys are those that a step may take from [defaults].
var sharedKeys = []key[Step]{
	tableKey("accept", acceptTable, func(s *Step) *Accept { return &s.Accept }),
	enumKey("on_failure", outcomes, func(s *Step) *OnOutcome { return &s.OnFailure }),
	enumKey("on_partial", outcomes, func(s *Step) *OnOutcome { return &s.OnPartial }),
	tableKey("retry", retryTable, func(s *Step) *Retry { return &s.Retry }),
	enumKey("rerun", reruns, func(s *Step) *string { return &s.Rerun }),
	{name: "rerun_on", kind: kindEnums, values: failures, set: func(s scope, st *Step, e entry) { setRerunOn(s, st, e) }},
	durationKey("timeout", 1, func(s *Step, d time.Duration) { s.Timeout = d }),
	enumKey("on_timeout", onTimeout, func(s *Step) *string { return &s.OnTimeout }),
	enumKey("on_stop", onTimeout, func(s *Step) *string { return &s.OnStop }),
	durationKey("settle_wait", 1, func(s *Step, d time.Duration) { s.SettleWait = d }),
	durationKey("cancel_wait", 1, func(s *Step, d time.Duration) { s.CancelWait = d }),
	durationKey("warn_after", 1, func(s *Step, d time.Duration) { s.WarnAfter = d }),
	tableKey("wait", waitTable, func(s *Step) *Wait { return &s.Wait }),
	{name: "locale", kind: kindText, set: func(s scope, st *Step, e entry) { setLocale(s, st, e) }},
	countKey("show_rejected", 0, 1000, func(s *Step, n int64) { s.ShowRejected = int(n) }),
	tableKey("transfer", transferTable, func(s *Step) *Transfer { return &s.Transfer }),
}

var defaultsTable = shape[Step]{title: "[defaults]", keys: sharedKeys}

var stepTable = shape[Step]{title: "[[step]]", keys: append([]key[Step]{
	textKey("name", func(s *Step) *string { return &s.Name }),
	verbKey(Import), verbKey(Export), verbKey(Process), verbKey(Action), verbKey(Upload), verbKey(Download),
	{name: "command", kind: kindArgv, set: func(s scope, st *Step, e entry) {
		if st.Verb == "" {
			st.Verb = Command
		}
		st.Argv, _ = s.argv(e)
	}},
	{name: "needs", kind: kindTexts, set: func(s scope, st *Step, e entry) {
		st.NeedsSet = true
		if v, ok := s.texts(e, nil); ok {
			st.Needs = v
		}
	}},
	{name: "for_each", kind: kindMap, set: func(s scope, st *Step, e entry) { setForEach(s, st, e) }},
	flagKey("enabled", func(s *Step) *bool { return &s.Enabled }),
	enumKey("when", []When{WhenOK, WhenFailed, WhenAlways}, func(s *Step) *When { return &s.When }),
	textKey("connection", func(s *Step) *string { return &s.Connection }),
	refKey("workspace", workspaceID, func(s *Step) *Ref { return &s.Workspace }),
	refKey("model", modelID, func(s *Step) *Ref { return &s.Model }),
	{name: "source", kind: kindPath, set: func(s scope, st *Step, e entry) { st.Source = s.source(e) }},
	{name: "target", kind: kindPaths, set: func(s scope, st *Step, e entry) { st.Targets = s.targets(e) }},
	{name: "prompts", kind: kindMap, set: func(s scope, st *Step, e entry) { st.Prompts = s.prompts(e) }},
	tableKey("guard", guardTable, func(s *Step) *Guard { return &s.Guard }),
	{name: "files", kind: kindMap, set: func(s scope, st *Step, e entry) { setFiles(s, st, e) }},
	{name: "actions", kind: kindMap, set: func(s scope, st *Step, e entry) { setActions(s, st, e) }},
	flagKey("delete", func(s *Step) *bool { return &s.Delete }),
	flagKey("stale", func(s *Step) *bool { return &s.Stale }),
	optionalFlag("ahead", func(s *Step) **bool { return &s.Ahead }),
	laterKey[Step]("query", kindAny, "write the rows to a file before, and name it as source"),
}, sharedKeys...)}

var acceptTable = shape[Accept]{title: "accept", keys: []key[Accept]{
	limitKey("failed", func(a *Accept) **Limit { return &a.Failed }),
	limitKey("warnings", func(a *Accept) **Limit { return &a.Warnings }),
	limitKey("ignored", func(a *Accept) **Limit { return &a.Ignored }),
	countKey("min_loaded", 0, 1<<53, func(a *Accept, n int64) { a.MinLoaded = &n }),
	optionalFlag("unexplained", func(a *Accept) **bool { return &a.Unexplained }),
}}

var retryTable = shape[Retry]{title: "retry", keys: []key[Retry]{
	countKey("tries", 1, 100, func(r *Retry, n int64) { r.Tries = int(n) }),
	durationKey("wait", 1, func(r *Retry, d time.Duration) { r.Wait = d }),
}}

var waitTable = shape[Wait]{title: "wait", keys: []key[Wait]{
	durationKey("busy", 0, func(w *Wait, d time.Duration) { w.Busy = &d }),
	durationKey("maintenance", 0, func(w *Wait, d time.Duration) { w.Maintenance = &d }),
	durationKey("closed", 0, func(w *Wait, d time.Duration) { w.Closed = &d }),
	durationKey("locked", 0, func(w *Wait, d time.Duration) { w.Locked = &d }),
}}

func optionalFlag[T any](name string, field func(*T) **bool) key[T] {
	return key[T]{name: name, kind: kindFlag, set: func(s scope, into *T, e entry) {
		if v, ok := s.flag(e); ok {
			*field(into) = &v
		}
	}}
}

// limitKey is a number of rows, or a share as "2%".
func limitKey(name string, field func(*Accept) **Limit) key[Accept] {
	return key[Accept]{name: name, kind: kindLimit, set: func(s scope, a *Accept, e entry) {
		if _, ok := e.value.(string); !ok {
			if n, ok := s.count(e, 0, 1<<53); ok {
				*field(a) = &Limit{Rows: n}
			}
			return
		}
		if l, ok := s.percent(e); ok {
			*field(a) = &l
		}
	}}
}

func (s scope) percent(e entry) (Limit, bool) {
	v := e.value.(string)
	const form = `write a number of rows as in 100, or a share as in "2%"`
	digits, isShare := strings.CutSuffix(v, "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	number := err == nil && n >= 0 && n < 1<<53 && !strings.ContainsAny(digits, "eExXpP_+nN")
	switch {
	case !number:
		s.wrong(e.at, e.name, fmt.Sprintf("%q is neither a number of rows nor a percentage", v), form)
	case !isShare:
		s.wrong(e.at, e.name, fmt.Sprintf("%q is a text without a percent sign", v), fmt.Sprintf(`write %s for rows, or "%s%%" for a share`, digits, digits))
	case strings.TrimSpace(digits) != digits:
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not a percentage", v), fmt.Sprintf(`write "%s%%"`, strings.TrimSpace(digits)))
	case n > 100:
		s.wrong(e.at, e.name, fmt.Sprintf("%q is more than everything", v), `the most is "100%"`)
	default:
		return Limit{Share: true, Percent: n}, true
	}
	return Limit{}, false
}

// setSteps decodes each [[step]] by itself, so that every mistake has its own place.
func setSteps(s scope, j *Job, e entry) {
	list, ok := e.value.([]entry)
	if !ok {
		s.badType(e, "a list of tables", "write [[step]] with two brackets above each step")
		return
	}
	for i, e := range list {
		t, ok := e.value.(*table)
		if !ok {
			e.name = "step"
			s.badType(e, "a table", "write [[step]] above each step")
			continue
		}
		st := Step{Index: i, Enabled: true, Positions: Positions{"": e.at}}
		decode(scope{decoder: s.decoder, owner: stepLabel(t, i), marks: st.Positions}, stepTable, t, &st)
		st.Base = st.Name
		j.Steps = append(j.Steps, st)
	}
}

// stepLabel is how messages call a step, before anything in it is known to be right.
func stepLabel(t *table, i int) string {
	if e, ok := t.get("name"); ok {
		if name, ok := e.value.(string); ok && strings.TrimSpace(name) != "" {
			return fmt.Sprintf("step %q", name)
		}
	}
	return fmt.Sprintf("step %d", i+1)
}
