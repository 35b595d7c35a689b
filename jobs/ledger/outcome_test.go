package ledger

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOutcomePrecedence is the rule for a run's code of design.md 5: 76 if any step is
// unsure; else the signal's; else that of the first step that stopped it; else the worst
// of its steps in the order 1, 124, 77, 78, 65, 75, 70, 3; else 0.
func TestOutcomePrecedence(t *testing.T) {
	type end struct {
		v    Verdict
		c    Cause
		onto string // on_failure and on_partial
		by   bool   // it ended so because the run was stopped
		says string
	}
	const cont = "continue"
	ok := end{v: OK}
	all := []end{ // every code but 76, with on_failure = continue, the worst first
		{v: Failed, c: CauseAction, onto: cont}, {v: TimedOut, c: CauseTime, onto: cont}, {v: Failed, c: CauseLogin, onto: cont}, {v: Failed, c: CauseConfig, onto: cont},
		{v: Failed, c: CauseGuard, onto: cont}, {v: Failed, c: CauseBusy, onto: cont}, {v: Failed, c: CauseInternal, onto: cont}, {v: Partial, c: CauseRows, onto: cont},
	}
	codes := []int{1, 124, 77, 78, 65, 75, 70, 3}
	type row struct {
		name string
		ends []end
		stop *StopAsked
		want int
		v    Verdict
	}
	late := &StopAsked{Cause: CauseTime, Text: "not_after has passed"}
	rows := []row{
		{"all ok", []end{ok, ok}, nil, 0, OK},
		{"all skipped", []end{{v: Skipped}, {v: Skipped}}, nil, 0, Skipped},
		{"some skipped", []end{{v: Skipped}, ok}, nil, 0, OK},
		{"unsure before everything", []end{{v: Failed, c: CauseAction, onto: ""}, {v: Unsure, c: CauseStartUnknown, onto: ""}}, &StopAsked{Cause: CauseSignal, Signal: "SIGINT"}, 76, Unsure},
		{"unsure with another cause", []end{{v: Unsure, c: CauseLogin, onto: ""}}, nil, 76, Unsure},
		{"SIGINT before failures", []end{{v: Failed, c: CauseAction, onto: ""}}, &StopAsked{Cause: CauseSignal, Signal: "SIGINT"}, 130, Cancelled},
		{"SIGTERM before failures", []end{{v: Failed, c: CauseAction, onto: ""}}, &StopAsked{Cause: CauseSignal, Signal: "SIGTERM"}, 143, Cancelled},
		{"SIGHUP", []end{ok, {v: Blocked}}, &StopAsked{Cause: CauseSignal, Signal: "SIGHUP"}, 143, Cancelled},
		{"SIGHUP when all was done", []end{ok}, &StopAsked{Cause: CauseSignal, Signal: "SIGHUP"}, 0, OK},
		{"not_after when all was done", []end{ok, {v: Partial, c: CauseRows, onto: cont}}, &StopAsked{Cause: CauseTime}, 3, Partial},
		{"not_after while the last one ran, partial", []end{ok, {v: Partial, c: CauseRows, onto: ""}}, late, 3, Partial},
		{"not_after while the last one ran, failed", []end{{v: Failed, c: CauseAction, onto: ""}, {v: Blocked}}, late, 1, Failed},
		{"not_after that blocks a step", []end{{v: Failed, c: CauseAction, onto: ""}, {v: Blocked, by: true}}, late, 124, Cancelled},
		{"a deadline that cancels a step", []end{{v: TimedOut, c: CauseTime, by: true}}, late, 124, Cancelled},
		{"a deadline whose cancel came too late", []end{{v: Failed, c: CauseAction, says: "the cancel came too late: " + late.Text}}, late, 1, Failed},
		{"the first that stopped, not the worst", []end{{v: Partial, c: CauseRows, onto: ""}, {v: Failed, c: CauseAction, onto: ""}}, nil, 3, Partial},
		{"the first that stopped, not one that went on", []end{{v: Failed, c: CauseAction, onto: cont}, {v: Failed, c: CauseGuard, onto: ""}}, nil, 65, Failed},
		{"cancelled", []end{{v: Cancelled, c: CauseAction, onto: ""}}, nil, 1, Cancelled},
		{"blocked steps bear no code", []end{{v: Failed, c: CauseNetwork, onto: ""}, {v: Blocked}}, nil, 75, Failed},
	}
	for i, worse := range all {
		rows = append(rows, row{"alone", []end{ok, worse}, nil, codes[i], worse.v})
		for j := i + 1; j < len(all); j++ {
			rows = append(rows, row{"worst of two", []end{all[j], worse}, nil, codes[i], worse.v})
		}
	}
	for _, r := range rows {
		s := State{Stop: r.stop}
		for i, e := range r.ends {
			s.Steps = append(s.Steps, StepState{Plan: StepPlan{Name: "s", OnFailure: e.onto, OnPartial: e.onto},
				End: &StepEnded{Verdict: e.v, Cause: e.c, Message: e.says, Stopped: e.by}, Ended: t0.Add(time.Duration(i) * time.Minute)})
		}
		got := Outcome(s)
		if got.Code != r.want || got.Verdict != r.v {
			t.Errorf("%s %v: code %d, %s; want %d, %s", r.name, r.ends, got.Code, got.Verdict, r.want, r.v)
		}
	}
}

func TestClosed(t *testing.T) {
	for _, tc := range []struct {
		end  *StepEnded
		onto string
		want bool
	}{
		{nil, "", false},
		{&StepEnded{Verdict: OK}, "", true},
		{&StepEnded{Verdict: Skipped}, "", true},
		{&StepEnded{Verdict: Partial}, "", false},
		{&StepEnded{Verdict: Partial}, "continue", true},
		{&StepEnded{Verdict: Failed}, "continue", false},
		{&StepEnded{Verdict: Blocked}, "", false},
		{&StepEnded{Verdict: Unsure}, "continue", false},
	} {
		s := State{Steps: []StepState{{Plan: StepPlan{OnPartial: tc.onto, OnFailure: tc.onto}, End: tc.end}}}
		if got := s.Closed(); got != tc.want {
			t.Errorf("%+v, %q: closed is %v", tc.end, tc.onto, got)
		}
	}
}

func TestDirNamesDiffer(t *testing.T) {
	ids := []ID{{"a", "b"}, {"A", "b"}, {"a", "B"}, {"ab", ""}, {"", "ab"}, {"a/b", "c"}, {"a-b", "c"}, {"..", ".."}, {"CON", "NUL"},
		{"日本", "x"}, {"日木", "x"}, {"a", "b "}, {"a b", ""}}
	seen := map[string]ID{}
	for _, id := range ids {
		name := DirName(id)
		folded := strings.ToLower(name)
		if other, ok := seen[folded]; ok {
			t.Errorf("%v and %v are both %q", other, id, name)
		}
		seen[folded] = id
		if len(name) > 100 {
			t.Errorf("%q is too long", name)
		}
	}
}

// TestResumeCommandCanBePasted gives it to a shell, which must read the very words.
func TestResumeCommandCanBePasted(t *testing.T) {
	for _, word := range []string{"a", "a b", "$HOME", "it's", `say "no"`, "`x`", "a\\b", "wow!", "dag/run:1", "#2", "spokes[EMEA]", "*", "ä;b&c|d", "two\nlines", "~", "-x"} {
		text := ResumeCommand(ID{Job: "j", Run: word}, "--again", word)
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Logf("there is no sh here: %s", text)
			continue
		}
		out, err := exec.Command(sh, "-c", `f() { printf '<%s>' "$@"; }; `+strings.Replace(text, "anaplan-runner", "f", 1)).Output()
		want := fmt.Sprintf("<resume><%s><--again><%s>", word, word)
		if word == "-x" { // an option, where it is the first word
			want = "<resume><--again><-x><--><-x>"
		}
		if err != nil || string(out) != want {
			t.Errorf("%s is read as %q, %v", text, out, err)
		}
	}
}

// TestOutcomeAfterAnEarlierStop: what was cancelled by a stop that is over does not say that
// the next one stopped anything.
func TestOutcomeAfterAnEarlierStop(t *testing.T) {
	late := StopAsked{Cause: CauseTime, Text: "not_after has passed"}
	story := []Event{
		{Body: RunCreated{Steps: []StepPlan{{Name: "a"}, {Name: "b"}}}},
		{Body: StopAsked{Cause: CauseSignal, Signal: "SIGINT", Text: "cancelled by ada"}},
		{Step: "a", Body: StepEnded{Verdict: Cancelled, Cause: CauseSignal, Stopped: true}},
		{Step: "b", Body: StepEnded{Verdict: Blocked, Stopped: true}},
		{Body: RunContinued{}},
		{Body: late},
		{Step: "b", Body: StepEnded{Verdict: OK}},
	}
	for i := range story {
		story[i].Seq, story[i].At = int64(i+1), t0.Add(time.Duration(i)*time.Minute)
	}
	s, err := Fold(story)
	if got := Outcome(s); err != nil || got.Code != CodeTerminate || got.Message != `step "a": ` {
		t.Errorf("%v: %+v", err, got)
	}
	story[6].Body = StepEnded{Verdict: Blocked, Stopped: true}
	if s, err = Fold(story); err != nil || Outcome(s).Code != CodeTime {
		t.Errorf("%v: %+v", err, Outcome(s))
	}
}

// TestOutcomeOfCancelledStep: a step that was cancelled when the run was stopped, and that
// nobody has run again, is not forgotten when the run is continued.
func TestOutcomeOfCancelledStep(t *testing.T) {
	for _, on := range []string{"", "continue"} {
		s := State{Steps: []StepState{
			{Plan: StepPlan{Name: "a", OnFailure: on}, Ended: time.Unix(1, 0), End: &StepEnded{Verdict: Cancelled, Cause: CauseSignal}},
			{Plan: StepPlan{Name: "b"}, Ended: time.Unix(2, 0), End: &StepEnded{Verdict: OK}},
		}}
		if got := Outcome(s); got.Code != CodeTerminate || got.Verdict != Cancelled || s.Closed() {
			t.Errorf("on_failure %q: %+v", on, got)
		}
	}
}
