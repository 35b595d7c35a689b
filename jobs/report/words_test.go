package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func TestEveryVerdictAndCauseHasWords(t *testing.T) {
	heads := map[string]ledger.Verdict{}
	for _, v := range ledger.Verdicts {
		if verdictWords[v] == "" {
			t.Errorf("verdict %s has no words", v)
		}
		r := Report{Verdict: v, Steps: []Step{{Verdict: v}}}
		if !strings.Contains(r.count().String(), "1 "+strings.ReplaceAll(string(v), "_", " ")) {
			t.Errorf("verdict %s is not counted: %s", v, r.count())
		}
		head := r.Headline()
		if other, ok := heads[head]; ok && v != ledger.Blocked { // no run is blocked
			t.Errorf("%s and %s have the same headline: %s", v, other, head)
		}
		heads[head] = v
	}
	for _, c := range ledger.Causes {
		if causeWords[c] == "" {
			t.Errorf("cause %s has no words", c)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 1 << 62: "4,611,686,018,427,387,904"} {
		if got := number(n); got != want {
			t.Errorf("number %d: %s", n, got)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 999_499: "999 kB", 999_500: "1.0 MB", 48_210_334: "48 MB", 1 << 62: "4.6 EB"} {
		if got := size(n); got != want {
			t.Errorf("size %d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-1: "0s", 0: "0s", 420 * time.Millisecond: "0.4s", 9949 * time.Millisecond: "9.9s", 9950 * time.Millisecond: "10s",
		59499 * time.Millisecond: "59s", 59500 * time.Millisecond: "1m 00s", 72 * time.Second: "1m 12s", time.Hour - time.Second: "59m 59s",
		time.Hour - time.Millisecond: "1h 00m", 26*time.Hour + 5*time.Minute: "26h 05m"} {
		if got := lasting(d); got != want {
			t.Errorf("lasting %s: %s, want %s", d, got, want)
		}
	}
}

func TestTidyKeepsWordsAndDropsWhatSteers(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "a\r\nb": "a\nb", "a\tb": "a b", "\x1b[31mred": "\ufffd[31mred",
		"\u202egnp.exe": "\ufffdgnp.exe", "\xff": "\ufffd", "עברית": "עברית", "🇫🇷": "🇫🇷"} {
		if got := tidy(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTimesAreInTheRunsZone(t *testing.T) {
	for _, tc := range []struct{ zone, want string }{
		{"Europe/Paris", "Tue 24 Nov 2026 02:00:03 to 02:09:43, Europe/Paris (CET)"},
		{"America/Los_Angeles", "Mon 23 Nov 2026 17:00:03 to 17:09:43, America/Los_Angeles (PST)"},
		{"UTC", "Tue 24 Nov 2026 01:00:03 to 01:09:43, UTC"},
		{"no/such", "Tue 24 Nov 2026 01:00:03 to 01:09:43, UTC"},
	} {
		s := accepted(t)
		s.Created.Timezone = tc.zone
		if got := New(s, Options{}).span(); got != tc.want {
			t.Errorf("%s: %s", tc.zone, got)
		}
	}
}

func TestPhasesFollowTheEvents(t *testing.T) {
	r := New(accepted(t), Options{})
	at := func(from, to float64, kind PhaseKind) Phase {
		return Phase{kind, t0.Add(time.Duration(from * float64(time.Second))), t0.Add(time.Duration(to * float64(time.Second)))}
	}
	want := []Phase{at(1.2, 9, Uploading), at(9, 9.4, Preparing), at(9.4, 40, Waiting), at(40, 52, Queued), at(52, 118, Running), at(118, 121.5, Fetching)}
	if diff := cmp.Diff(want, r.Steps[0].Phases); diff != "" {
		t.Error(diff)
	}
	want = []Phase{at(520.1, 520.4, Preparing), at(520.4, 521, Queued), at(521, 560, Running), at(560, 575, Downloading)}
	if diff := cmp.Diff(want, r.Steps[4].Phases); diff != "" {
		t.Error(diff)
	}
}

func TestTimelineLanesOnlySideBySide(t *testing.T) {
	lanes := func(s ledger.State) (all []string) {
		for _, l := range New(s, Options{}).timeline().Lanes {
			all = append(all, l.Model)
		}
		return all
	}
	if diff := cmp.Diff([]string{"Sales Hub", "FP&A EMEA", "FP&A AMER"}, lanes(accepted(t))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{""}, lanes(huge(t))); diff != "" { // one after another
		t.Error(diff)
	}
}

func TestTicksAreRoundTimes(t *testing.T) {
	for _, tc := range []struct {
		lasts time.Duration
		want  string // first and last
		n     int
	}{
		{0, "02:00:03 02:00:04", 2}, {35 * time.Second, "02:00:05 02:00:35", 7}, {10 * time.Minute, "02:01 02:10", 10},
		{8 * time.Hour, "03:00 10:00", 8}, {400 * 24 * time.Hour, "", 0},
	} {
		r := Report{Started: Time{t0}, Seen: t0.Add(tc.lasts), Zone: zone("Europe/Paris")}
		ticks := r.timeline().Ticks
		if len(ticks) > mostTicks+1 {
			t.Errorf("%s: %d ticks", tc.lasts, len(ticks))
		}
		if tc.want == "" {
			continue
		}
		if got := ticks[0].Label + " " + ticks[len(ticks)-1].Label; got != tc.want || len(ticks) != tc.n {
			t.Errorf("%s: %d ticks, %s", tc.lasts, len(ticks), got)
		}
	}
}
