package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// t0 is when the runs of these tests begin: 02:00 in Paris.
var t0 = time.Date(2026, 11, 24, 1, 0, 3, 0, time.UTC)

// tale makes the events of a run. Its clock moves by at, from the beginning of the run.
type tale struct {
	t      *testing.T
	clock  time.Time
	events []ledger.Event
	number int
}

func begin(t *testing.T, plans ...ledger.StepPlan) *tale {
	s := &tale{t: t, clock: t0}
	s.add("", ledger.RunCreated{ID: ledger.ID{Job: "nightly-sales", Run: "2026-11-24"}, Version: "1.0.0",
		JobFile: "/etc/jobs/nightly-sales.toml", Date: "2026-11-24", Timezone: "Europe/Paris", Job: []byte(`{}`),
		Runner: ledger.Runner{Host: "etl-01", PID: 4711, User: "anaplan"}, Steps: plans})
	return s
}

func (s *tale) add(step string, bodies ...ledger.Body) *tale {
	for _, b := range bodies {
		s.events = append(s.events, ledger.Event{Seq: int64(len(s.events) + 1), At: s.clock, Step: step, Body: b})
	}
	return s
}

// at moves the clock to so many seconds after the beginning.
func (s *tale) at(seconds float64) *tale {
	s.clock = t0.Add(time.Duration(seconds * float64(time.Second)))
	return s
}

// resolved gives every step that has a model an object and the model of that name.
func (s *tale) resolved() *tale {
	var r ledger.RunResolved
	r.User = ledger.User{ID: "8A", Email: "svc.planning@example.com"}
	for i, p := range s.events[0].Body.(ledger.RunCreated).Steps {
		if p.Model == "" { // a command has no object
			r.Steps = append(r.Steps, ledger.StepObject{Step: p.Name})
			continue
		}
		r.Steps = append(r.Steps, ledger.StepObject{Step: p.Name,
			Object: ledger.ObjectRef{ID: fmt.Sprintf("112%09d", i+1), Name: p.Label},
			Model:  ledger.ModelRef{ID: "M" + p.Model, Name: p.Model, Host: "api.anaplan.com"}})
	}
	return s.add("", r)
}

// task runs a task of a step, from and to so many seconds after the beginning.
func (s *tale) task(step string, from, began, to float64) *tale {
	s.number++
	id := fmt.Sprintf("5E6331685CC648A29B725923B8FA%04d", s.number)
	s.at(from).add(step, ledger.Intent{Number: s.number}, ledger.TaskStarted{Number: s.number, Task: id})
	s.at(began).add(step, ledger.TaskSeen{Task: id, State: "IN_PROGRESS", Step: "Processing"})
	return s.at(to).add(step, ledger.TaskEnded{Task: id, State: "COMPLETE", Step: "Complete."})
}

func (s *tale) state() ledger.State {
	s.t.Helper()
	state, err := ledger.Fold(s.events)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

// end ends the run as the engine would.
func (s *tale) end() ledger.State {
	s.t.Helper()
	return s.add("", ledger.Outcome(s.state())).state()
}

func n(v int64) *int64 { return &v }

func rows(ok, ignored, warned, failed int64) ledger.Rows {
	return ledger.Rows{Total: n(ok + ignored + failed), OK: &ok, Ignored: &ignored, Warnings: &warned, Failed: &failed}
}

func plan(verb, name, label, model string) ledger.StepPlan {
	return ledger.StepPlan{Name: name, Verb: verb, Label: label, Model: model}
}

// story is a named state.
type story struct {
	name string
	tell func(t *testing.T) ledger.State
}

// stories are the states that golden files show.
var stories = []story{
	{"accepted", accepted}, {"partial", partial}, {"failed", failed}, {"unsure", unsure},
	{"interrupted", interrupted}, {"died", died}, {"config", badConfig}, {"created", created},
	{"skipped", skipped}, {"many", many}, {"huge", huge}, {"hostile", hostile}, {"continued", continued}, {"lost", lost},
	{"programs", programs},
}

const dumpPath = "/var/lib/anaplan-runner/runs/nightly-sales_2026-11-24_8d1f/01_load-sales_rejected_5E633168.csv"

func salesDump() ledger.DumpSaved {
	return ledger.DumpSaved{Task: "5E6331685CC648A29B725923B8FA0001", Of: ledger.ObjectRef{ID: "112000000001", Name: "Load Sales"},
		Path: dumpPath, Bytes: 2140, Dump: ledger.DumpStats{Rejected: 17, Warned: 3, Reasons: []ledger.Reason{
			{Text: "Item … not located in PRODUCTS list", Count: 12}, {Text: "Invalid date", Count: 5}, {Text: "Invalid parent", Count: 3}}}}
}

func loadSales(s *tale, end ledger.StepEnded) *tale {
	const step = "load sales"
	s.at(1.2).add(step, ledger.StepStarted{Try: 1})
	s.at(9).add(step, ledger.SourceUploaded{File: ledger.ObjectRef{ID: "113000000001", Name: "sales.csv"}, Path: "/data/sales_2026-11-24.csv",
		Bytes: 48_210_334, Rows: n(5000), Chunks: 5, Wire: 6_120_884, Took: 6900 * time.Millisecond})
	s.at(9.4).add(step, ledger.Waiting{Reason: "the model is busy", Text: "another user imports: Load HR (step 2 of 5)"})
	s.task(step, 40, 52, 118)
	s.at(121).add(step, salesDump())
	end.Rows = rows(4980, 0, 3, 17)
	end.Actions = []ledger.ActionVerdict{{Object: ledger.ObjectRef{ID: "112000000001", Name: "Load Sales"}, Verdict: end.Verdict, Cause: end.Cause,
		Rows: end.Rows, Texts: []string{"Sales: 4980 (12/4968) rows successful, 3 (0/3) rows has warnings, 17 failed, 0 ignored "}}}
	return s.at(121.5).add(step, end)
}

func night(t *testing.T, rejected int) *tale {
	load := plan("import", "load sales", "Load Sales", "Sales Hub")
	load.ShowRejected = rejected
	return begin(t, load, plan("process", "forecast", "Nightly Forecast", "Sales Hub"),
		plan("process", "spokes[EMEA]", "Pull from Hub", "FP&A EMEA"), plan("process", "spokes[AMER]", "Pull from Hub", "FP&A AMER"),
		plan("export", "publish", "Forecast Output", "Sales Hub"), plan("action", "purge", "Delete expired rows", "Sales Hub"))
}

// accepted rejects rows within what the job accepts, and may show two of them.
func accepted(t *testing.T) ledger.State {
	s := night(t, 2).at(0.8).resolved()
	s.add("", ledger.Warned{Text: "certificate /etc/keys/anaplan.pem ends in 41 days"})
	loadSales(s, ledger.StepEnded{Verdict: ledger.OK, Message: `import "Load Sales" (112000000001): 4980 loaded, 3 with warnings, 17 rejected`})
	s.at(121.6).add("forecast", ledger.StepStarted{Try: 1})
	s.at(124).add("forecast", ledger.SourceUploaded{File: ledger.ObjectRef{ID: "113000000002", Name: "rates.csv"}, Path: "/data/rates.csv", Bytes: 8_200, Rows: n(310)})
	s.task("forecast", 124.5, 130, 400)
	inner := func(id, name string, from, lasts float64, r ledger.Rows, texts ...string) ledger.ActionVerdict {
		return ledger.ActionVerdict{Object: ledger.ObjectRef{ID: id, Name: name}, Verdict: ledger.OK, Rows: r, Texts: texts,
			Started: t0.Add(time.Duration(from * float64(time.Second))), Duration: time.Duration(lasts * float64(time.Second))}
	}
	s.at(401).add("forecast", ledger.StepEnded{Verdict: ledger.OK, Rows: rows(310, 4, 0, 0), Actions: []ledger.ActionVerdict{
		inner("112000000077", "Load Rates", 130, 40, rows(310, 4, 0, 0), "Rates: 310 (0/310) rows successful, 4 ignored "),
		inner("117000000005", "Roll forward", 172, 190, ledger.Rows{}, "Completed successfully!"),
		inner("117000000006", "Publish versions", 365, 30, ledger.Rows{})}})
	for i, name := range []string{"spokes[EMEA]", "spokes[AMER]"} {
		d := float64(i) * 20
		s.at(401.2).add(name, ledger.StepStarted{Try: 1})
		s.task(name, 402, 404+d, 480+2*d)
		s.add(name, ledger.StepEnded{Verdict: ledger.OK, Rows: rows(1204+int64(i), 0, 0, 0)})
	}
	s.at(520.1).add("publish", ledger.StepStarted{Try: 1})
	s.task("publish", 520.4, 521, 560)
	s.at(575).add("publish", ledger.TargetWritten{File: ledger.ObjectRef{ID: "116000000001", Name: "Forecast Output"}, Path: "/out/forecast_2026-11-24.csv", Bytes: 1_234_567, Rows: n(23110),
		Wire: 1_234_567, Took: 2400 * time.Millisecond})
	s.add("publish", ledger.StepEnded{Verdict: ledger.OK})
	s.at(575.2).add("purge", ledger.StepStarted{Try: 1})
	s.task("purge", 576, 577, 580)
	s.add("purge", ledger.StepEnded{Verdict: ledger.OK})
	return s.end()
}

// partial rejects more than the job accepts, and stops.
func partial(t *testing.T) ledger.State {
	s := night(t, 0).at(0.8).resolved()
	loadSales(s, ledger.StepEnded{Verdict: ledger.Partial, Cause: ledger.CauseRows,
		Message: `import "Load Sales" (112000000001): 17 of 4997 rows failed, the job accepts 10`,
		Next:    "see the rejected rows in " + dumpPath + "; correct the data, or raise accept"})
	return blockAll(s, "load sales")
}

func blockAll(s *tale, by string) ledger.State {
	for _, p := range s.state().Steps {
		if p.End == nil {
			s.add(p.Plan.Name, ledger.StepEnded{Verdict: ledger.Blocked, Message: fmt.Sprintf("not started: step %q stopped the run", by)})
		}
	}
	return s.end()
}

// failed has a process one of whose actions could not run.
func failed(t *testing.T) ledger.State {
	s := night(t, 0).at(0.8).resolved()
	loadSales(s, ledger.StepEnded{Verdict: ledger.OK})
	s.at(122).add("forecast", ledger.StepStarted{Try: 1})
	s.at(124).add("forecast", ledger.TryFailed{Try: 1, Cause: ledger.CauseNetwork, Text: "list its tasks: 502 Bad Gateway"}, ledger.StepStarted{Try: 2})
	s.task("forecast", 160, 170, 200)
	text := "The uploaded file has expired. Upload it again."
	s.add("forecast", ledger.DumpSaved{Of: ledger.ObjectRef{ID: "112000000077", Name: "Load Rates"}, Error: "GET dump: 404 Not Found"})
	s.at(201).add("forecast", ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction,
		Message: `process "Nightly Forecast" (112000000002): "Load Rates" (112000000077): it could not run: ` + text,
		Next:    "correct what Anaplan names, then run it again",
		Actions: []ledger.ActionVerdict{
			{Object: ledger.ObjectRef{ID: "117000000005", Name: "Roll forward"}, Verdict: ledger.OK},
			{Object: ledger.ObjectRef{ID: "112000000077", Name: "Load Rates"}, Verdict: ledger.Failed, Cause: ledger.CauseAction, Message: "it could not run: " + text, Texts: []string{text}},
			{Object: ledger.ObjectRef{ID: "117000000006", Name: "Publish versions"}, Verdict: ledger.Failed, Cause: ledger.CauseAction, Message: "Anaplan gives no result for it: it did not run"}}})
	return blockAll(s, "forecast")
}

// unsure lost the answer to a start.
func unsure(t *testing.T) ledger.State {
	s := night(t, 0).at(0.8).resolved()
	s.at(1).add("load sales", ledger.StepStarted{Try: 1})
	s.at(5).add("load sales", ledger.Intent{Number: 1}, ledger.StartUnknown{Number: 1, Text: "read tcp: connection reset by peer"})
	s.add("load sales", ledger.StepEnded{Verdict: ledger.Unsure, Cause: ledger.CauseStartUnknown,
		Message: `import "Load Sales" (112000000001) in model "Sales Hub": start: the answer was lost, Anaplan may run it: connection reset by peer`,
		Next:    "look at its tasks (anaplan-runner tasks import 112000000001) before you start it again; nothing was repeated"})
	return blockAll(s, "load sales")
}

// interrupted was stopped by Ctrl-C while a task ran.
func interrupted(t *testing.T) ledger.State {
	s := night(t, 0).at(0.8).resolved()
	loadSales(s, ledger.StepEnded{Verdict: ledger.OK})
	s.at(122).add("forecast", ledger.StepStarted{Try: 1})
	s.at(124).add("forecast", ledger.Intent{Number: 9}, ledger.TaskStarted{Number: 9, Task: "5E63AAAA"})
	s.at(130).add("forecast", ledger.TaskSeen{Task: "5E63AAAA", State: "IN_PROGRESS"})
	s.at(190).add("", ledger.StopAsked{Cause: ledger.CauseSignal, Signal: "SIGINT", Text: "stopped by SIGINT"})
	s.add("forecast", ledger.CancelAsked{Task: "5E63AAAA", Reason: "stopped by SIGINT"},
		ledger.Warned{Text: "Anaplan was asked to cancel task 5E63AAAA; whether it did is not known"})
	for _, p := range s.state().Steps {
		if p.Started.IsZero() {
			s.add(p.Plan.Name, ledger.StepEnded{Verdict: ledger.Blocked, Message: "not started: the run was stopped: stopped by SIGINT"})
		}
	}
	return s.at(191).end()
}

// died ends in the middle of a task.
func died(t *testing.T) ledger.State {
	s := night(t, 0).at(0.8).resolved()
	loadSales(s, ledger.StepEnded{Verdict: ledger.OK})
	s.at(122).add("forecast", ledger.StepStarted{Try: 1})
	s.at(124).add("forecast", ledger.Intent{Number: 9}, ledger.TaskStarted{Number: 9, Task: "5E63AAAA"})
	return s.at(250).add("forecast", ledger.TaskSeen{Task: "5E63AAAA", State: "IN_PROGRESS", Step: "Roll forward"}).state()
}

// lost ends after a start was sent, before its answer was recorded.
func lost(t *testing.T) ledger.State {
	s := begin(t, plan("import", "load sales", "Load Sales", "Sales Hub")).at(0.8).resolved()
	return s.at(1).add("load sales", ledger.StepStarted{Try: 1}, ledger.Intent{Number: 1}).state()
}

// badConfig named what does not exist.
func badConfig(t *testing.T) ledger.State {
	s := night(t, 0)
	return s.at(0.9).add("", ledger.RunEnded{Verdict: ledger.Failed, Cause: ledger.CauseConfig, Code: 78,
		Message: "/etc/jobs/nightly-sales.toml:12: import: \"Load Sale\" is not in model \"Sales Hub\"; did you mean \"Load Sales\"?\n" +
			"/etc/jobs/nightly-sales.toml:31: process: \"Nightly\" is not in model \"Sales Hub\"", Next: "correct the job file and run it again"}).state()
}

// created has only just begun.
func created(t *testing.T) ledger.State { return begin(t).state() }

func skipped(t *testing.T) ledger.State {
	s := night(t, 0)
	for _, p := range s.state().Steps {
		s.add(p.Plan.Name, ledger.StepEnded{Verdict: ledger.Skipped, Message: "enabled = false"})
	}
	return s.end()
}

// many has forty steps on three models, side by side.
func many(t *testing.T) ledger.State {
	var plans []ledger.StepPlan
	for i := range 40 {
		p := plan("import", fmt.Sprintf("load region %02d", i+1), fmt.Sprintf("Load Region %02d", i+1), []string{"Sales Hub", "FP&A EMEA", "FP&A AMER"}[i%3])
		p.OnPartial = "continue"
		plans = append(plans, p)
	}
	s := begin(t, plans...).at(1).resolved()
	for i, p := range plans {
		from := float64(2 + (i/3)*30)
		if s.clock.Before(t0.Add(time.Duration(from) * time.Second)) {
			s.at(from)
		}
		s.add(p.Name, ledger.StepStarted{Try: 1})
	}
	for i, p := range plans {
		from := float64(500 + i*3)
		s.task(p.Name, from, from+1, from+2)
		end := ledger.StepEnded{Verdict: ledger.OK, Rows: rows(int64(i)*1000003, 0, 0, 0)}
		if i%13 == 5 {
			end = ledger.StepEnded{Verdict: ledger.Partial, Cause: ledger.CauseRows, Message: "too many rejected", Rows: rows(100, 0, 0, 900)}
		}
		s.add(p.Name, end)
	}
	return s.end()
}

func huge(t *testing.T) ledger.State {
	long := "The import of everything that the finance department has ever wanted to see in one model, including the things nobody asked for"
	unbroken := "Überweisungsauftragsbestätigungsdokumentenverwaltungssystemintegrationsprüfungsverfahren"
	p := []ledger.StepPlan{plan("import", long, long+" (import)", long+" (model)"), plan("process", unbroken, unbroken, unbroken),
		plan("export", "売上予測を出力する工程の名前がとても長い場合の表示", "売上予測の出力", "販売ハブ"),
		plan("import", "טעינת נתוני מכירות (EMEA) 2026", "טעינה: EMEA", "מרכז (1)")}
	s := begin(t, p...).resolved()
	for i, x := range p {
		s.at(float64(10*i)).add(x.Name, ledger.StepStarted{Try: 1})
		s.task(x.Name, float64(10*i+1), float64(10*i+2), float64(10*i+9))
		s.add(x.Name, ledger.StepEnded{Verdict: ledger.Partial, Cause: ledger.CauseRows, Rows: rows(1_223_372_036, 123_456_789, 1, 777_777_777),
			Message: unbroken + " " + long, Next: long})
		p[i].OnPartial = "continue"
	}
	return s.end()
}

const evil = "<script>alert(1)</script>\"'&lt;\x1b[31m\u202egnp.exe\x00\r\nsecond line"

// hostile has markup, control characters and turned text wherever a text can stand.
func hostile(t *testing.T) ledger.State {
	p := plan("import", evil, evil, evil)
	p.ShowRejected = 5
	s := begin(t, p)
	c := s.events[0].Body.(ledger.RunCreated)
	c.ID, c.Version, c.JobFile, c.Date, c.Timezone = ledger.ID{Job: evil, Run: evil}, evil, evil, evil, evil
	c.Runner = ledger.Runner{Host: evil, PID: 1, User: evil}
	s.events[0].Body = c
	s.resolved().add("", ledger.Warned{Text: evil})
	s.at(1).add(evil, ledger.StepStarted{Try: 1}, ledger.Waiting{Reason: evil, Text: evil})
	s.at(2).add(evil, ledger.SourceUploaded{File: ledger.ObjectRef{ID: evil, Name: evil}, Path: evil})
	s.add(evil, ledger.Intent{Number: 9}, ledger.StartUnknown{Number: 9, Text: evil},
		ledger.StartSettled{Number: 9, Outcome: ledger.IntentOverruled, Text: evil, By: evil})
	s.add("", ledger.RunContinued{Runner: ledger.Runner{Host: evil, PID: 1, User: evil}, Version: evil},
		ledger.JobRepaired{JobFile: evil, Job: c.Job, Steps: c.Steps, Changes: []string{evil}})
	s.resolved()
	s.at(3).add(evil, ledger.TryFailed{Try: 1, Cause: ledger.CauseNetwork, Text: evil}, ledger.StepStarted{Try: 2}, ledger.Warned{Text: evil})
	s.task(evil, 4, 5, 9).at(10).add(evil, ledger.DumpSaved{Of: ledger.ObjectRef{ID: evil, Name: evil}, Path: evil,
		Dump: ledger.DumpStats{Rejected: 1, Reasons: []ledger.Reason{{Text: evil, Count: 1}}}},
		ledger.TargetWritten{File: ledger.ObjectRef{ID: evil, Name: evil}, Path: evil, Rows: n(-1)})
	s.add(evil, ledger.CommandStarted{Program: evil}, ledger.CommandEnded{Code: -1, Error: evil},
		ledger.CommandStarted{Program: evil}, ledger.CommandEnded{Code: 1, Tail: []string{evil, ""}})
	s.at(11).add(evil, ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction, Message: evil, Next: evil,
		Rows: rows(1, 1, 1, 1), Actions: []ledger.ActionVerdict{{Object: ledger.ObjectRef{ID: evil, Name: evil}, Verdict: ledger.Failed,
			Message: evil, Texts: []string{evil}, DumpPath: evil, Started: t0.Add(5 * time.Second), Duration: -time.Hour}}})
	s.add("", ledger.SourceMoved{Source: evil, From: evil, To: evil}, ledger.SourceMoved{Source: evil, From: evil, To: evil, Error: evil})
	state := s.add("", ledger.StopAsked{Cause: ledger.CauseSignal, Signal: evil, Text: evil}).
		add("", ledger.RunEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction, Code: 1, Message: evil, Next: evil}).state()
	// Verdicts of a newer program do not fold; should one come all the same, it is text too.
	end := state.Steps[0].End
	end.Verdict, end.Cause, end.Actions[0].Verdict = ledger.Verdict(evil), ledger.Cause(evil), ledger.Verdict(evil)
	state.End.Verdict, state.End.Cause = ledger.Verdict(evil), ledger.Cause(evil)
	return state
}

// continued was taken up by a second runner, which found the task of the first, and by a
// third, for a person who repaired the job and decided.
func continued(t *testing.T) ledger.State {
	s := begin(t, plan("import", "load sales", "Load Sales", "Sales Hub"), plan("process", "forecast", "Nightly Forecast", "Sales Hub"),
		plan("action", "purge", "Delete expired rows", "Sales Hub")).resolved()
	s.at(1).add("load sales", ledger.StepStarted{Try: 1}, ledger.Intent{Number: 1}, ledger.StartUnknown{Number: 1, Text: "reset"})
	s.at(600).add("", ledger.RunContinued{Runner: ledger.Runner{Host: "etl-02", PID: 12, User: "anaplan"}, Version: "1.0.1"})
	s.at(601).add("load sales", ledger.StepStarted{Try: 2},
		ledger.StartSettled{Number: 1, Outcome: ledger.IntentStarted, Task: "5E63", Text: "its rows are those that were uploaded"})
	s.at(660).add("load sales", ledger.TaskEnded{Task: "5E63", State: "COMPLETE"}, ledger.StepEnded{Verdict: ledger.OK, Rows: rows(12, 0, 0, 0)})
	s.at(661).add("forecast", ledger.StepStarted{Try: 1})
	s.number = 1
	s.task("forecast", 662, 663, 670)
	s.add("forecast", ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction, Message: "it could not run"})
	s.add("purge", ledger.StepEnded{Verdict: ledger.Blocked, Message: "not started: step \"forecast\" stopped the run"})
	s.add("", ledger.Outcome(s.state()))
	s.at(90_000).add("", ledger.RunContinued{Runner: ledger.Runner{Host: "desk", PID: 9, User: "ada"}, Version: "1.0.1"})
	repaired := s.events[0].Body.(ledger.RunCreated)
	s.add("", ledger.JobRepaired{JobFile: "/home/ada/repaired.toml", Job: repaired.Job, Steps: repaired.Steps,
		Changes: []string{`step "purge": timeout: was 24h, is 1h`}})
	s.resolved()
	s.add("forecast", ledger.StepReopened{Rerun: true, Why: "--again", By: "ada@desk"})
	s.at(90_002).add("forecast", ledger.StepStarted{Try: 2}, ledger.Intent{Number: 3}, ledger.StartUnknown{Number: 3, Text: "reset"})
	s.at(90_300).add("forecast", ledger.StartSettled{Number: 3, Outcome: ledger.IntentAbsent, Text: "two lists of its tasks show no new one"})
	s.number = 3
	s.task("forecast", 90_301, 90_302, 90_310)
	s.add("forecast", ledger.StepEnded{Verdict: ledger.OK})
	s.at(90_311).add("purge", ledger.StepStarted{Try: 1})
	s.task("purge", 90_312, 90_313, 90_314)
	s.add("purge", ledger.StepEnded{Verdict: ledger.OK})
	return s.end()
}

// programs has steps whose programs ended in every way, and sources that were moved, or
// could not be.
func programs(t *testing.T) ledger.State {
	command := func(name, program string) ledger.StepPlan {
		p := plan("command", name, program, "")
		p.OnFailure = "continue"
		return p
	}
	s := begin(t, plan("import", "load sales", "Load Sales", "Sales Hub"), command("extract", "bin/extract.sh"), command("check", "./check.py"),
		command("send", "/usr/local/bin/send"), command("archive", "archive"), command("notify", "notify")).resolved()
	loadSales(s, ledger.StepEnded{Verdict: ledger.OK, Message: `import "Load Sales" (112000000001): 4980 loaded`})
	ran := func(step, program string, from float64, e ledger.CommandEnded) {
		s.at(from).add(step, ledger.CommandStarted{Program: program})
		s.at(from+e.Took.Seconds()).add(step, e)
	}
	s.at(130).add("extract", ledger.StepStarted{Try: 1})
	ran("extract", "extract.sh", 130, ledger.CommandEnded{Code: -1, Error: "it was not started: the lease was lost"})
	ran("extract", "extract.sh", 140, ledger.CommandEnded{Took: 72 * time.Second})
	s.add("extract", ledger.StepEnded{Verdict: ledger.OK, Message: `command "bin/extract.sh": exit code 0 after 1m12s`})
	s.at(220).add("check", ledger.StepStarted{Try: 1})
	ran("check", "check.py", 220, ledger.CommandEnded{Code: 2, Took: 3100 * time.Millisecond, Tail: []string{"reading /data/out/forecast.csv", "    total is 0, expected 120 <at least>"}})
	s.add("check", ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction, Next: "see why it failed: its lines are in the log with --debug",
		Message: `command "./check.py": exit code 2 after 3.1s; it printed last: reading /data/out/forecast.csv |     total is 0, expected 120 <at least>`})
	s.at(230).add("send", ledger.StepStarted{Try: 1})
	ran("send", "send", 230, ledger.CommandEnded{Code: -1, Took: 12 * time.Second, Why: ledger.CauseSignal, Tail: []string{"sent 3 of 9"}})
	s.add("send", ledger.StepReopened{Rerun: true, Why: "its program was ended because the run was stopped, and the job says that it may be run again"})
	ran("send", "send", 243, ledger.CommandEnded{Code: -1, Took: time.Hour, Why: ledger.CauseTime, Tail: []string{"sent 4 of 9", "waiting for the server"}})
	s.add("send", ledger.StepEnded{Verdict: ledger.TimedOut, Cause: ledger.CauseTime, Next: "find out why it took so long, or raise the step's timeout",
		Message: `command "/usr/local/bin/send": it was ended after 1h0m0s, its limit is 1h0m0s; it printed last: sent 4 of 9 | waiting for the server`})
	s.at(3850).add("archive", ledger.StepStarted{Try: 1})
	ran("archive", "archive", 3850, ledger.CommandEnded{Code: -1, Took: 400 * time.Millisecond})
	s.add("archive", ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction, Message: `command "archive": ended by a signal after 400ms; it printed nothing`})
	s.at(3851).add("", ledger.SourceMoved{Source: "/data/sales_*.csv", From: "/data/sales_2026-11-24.csv", To: "/data/done/2026-11-24/sales_2026-11-24.csv"},
		ledger.SourceMoved{Source: "s3://landing/rates.csv", From: "s3://landing/rates.csv", To: "s3://landing/done/rates.csv", Error: "the store refused it: AccessDenied"})
	s.add("notify", ledger.StepStarted{Try: 1}, ledger.CommandStarted{Program: "notify"})
	return s.state()
}
