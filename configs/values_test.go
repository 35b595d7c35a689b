package configs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCheckValue(t *testing.T) {
	k := known{params: []string{"period", "version"}, each: []string{"region"}}
	tests := []struct{ s, want string }{
		{"", ""},
		{"plain $ text, $5, $x, {{ ds }}, }", ""},
		{"${params.period} and ${each.region}", ""},
		{"${env.HOME}${env.ProgramFiles(x86)}", ""},
		{"${run.id}", ""},
		{"${run.date} ${run.date-1d} ${run.date+2m-1d:%Y%m%d} ${run.date:%b %y}", ""},
		{"$${params.nothing}", ""},
		{"$$${params.nothing}", ""},
		{"${params.perido}", `${params.perido}: the job has no parameter "perido"; did you mean period?`},
		{"${params.x}", `${params.x}: the job has no parameter "x"; there is period, version`},
		{"${each.country}", `${each.country}: no for_each here has the key "country"; there is region`},
		{"${period}", "${period} stands for nothing; there are ${params.NAME}, ${env.NAME}, ${run.id}, ${run.date}, ${run.date-1d:%Y%m%d} and ${each.NAME}; write $${ for a literal ${"},
		{"${}", "${} stands for nothing; there are ${params.NAME}, ${env.NAME}, ${run.id}, ${run.date}, ${run.date-1d:%Y%m%d} and ${each.NAME}; write $${ for a literal ${"},
		{"${ params.period }", "${ params.period } has blanks at its ends; write ${params.period}"},
		{"a ${params.period", "${params.period has no closing brace; write $${ for a literal ${"},
		{"${params.${each.region}}", "${params.${each.region}} has no closing brace; write $${ for a literal ${"},
		{"${run.date-1w}", `${run.date-1w}: "w" is no unit of a date; write d for days, m for months, bd for business days`},
		{"${run.date-1}", `${run.date-1}: "-1" is no shift of a date; write -1d for days, -1m for months, -1bd for business days`},
		{"${run.date-1bd} ${run.date+1m-2bd:%Y%m%d}", ""},
		{"${run.date-100000d}", "${run.date-100000d}: -100000d is too far; at most 99999 days or months"},
		{"${run.date:}", "${run.date:} has an empty format; write it without the colon, or as ${run.date:%Y%m%d}"},
		{"${run.date:%Q}", "${run.date:%Q}: %Q is no letter of a date's format; there are %Y %y %m %d %e %b %B %a %A %j %H %M %S and %%"},
		{"${run.date:%Y%}", "${run.date:%Y%}: the format ends with %; write %% for a literal %"},
		{"${params.a}${params.b}", "${params.a}: the job has no parameter \"a\"; there is period, version\n${params.b}: the job has no parameter \"b\"; there is period, version"},
	}
	for _, tt := range tests {
		var lines []string
		for _, f := range checkValue(tt.s, k) {
			lines = append(lines, f.what+"; "+f.instead)
		}
		if diff := cmp.Diff(tt.want, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("%s\n%s", tt.s, diff)
		}
	}
}

func TestDates(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	late := time.Date(2026, 3, 31, 23, 30, 5, 0, paris)
	tests := []struct {
		now  time.Time
		s    string
		want string
	}{
		{late, "run.date", "2026-03-31"},
		{late, "run.date-1d", "2026-03-30"},
		{late, "run.date-1m", "2026-02-28"},
		{late, "run.date+1m", "2026-04-30"},
		{late, "run.date-1m-1d", "2026-02-27"},
		{late, "run.date-1d-1m", "2026-02-28"},
		{late, "run.date-3m:%b %y", "Dec 25"},
		{late, "run.date+12m", "2027-03-31"},
		{late, "run.date-25m", "2024-02-29"},
		{late, "run.date:%Y%m%dT%H%M%S", "20260331T233005"},
		{late, "run.date:%A %a %B %e. %j %%", "Tuesday Tue March 31. 090 %"},
		{late, "run.date+1d:%e|%d|%y", "1|01|26"},
		{late, "run.date:Ünïcode", "Ünïcode"},
		{time.Date(2028, 2, 29, 0, 0, 0, 0, paris), "run.date-12m", "2027-02-28"},
		{time.Date(2026, 3, 29, 2, 30, 0, 0, time.UTC), "run.date+0d:%H:%M", "02:30"},
		// The day that has no midnight to start with in its own zone.
		{time.Date(2026, 10, 25, 12, 0, 0, 0, paris), "run.date+1d", "2026-10-26"},
	}
	for _, tt := range tests {
		p, f := parseReference(tt.s)
		if f != nil {
			t.Fatalf("%s: %+v", tt.s, f)
		}
		if got := formatDate(shiftDate(tt.now, p.shifts, nil), p.format); got != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.s, tt.now, got, tt.want)
		}
	}
}

// TestMonthsClamp holds for any date: a shift by months lands in that month, on the same
// day or on its last.
func TestMonthsClamp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := time.Date(2000, 1, rapid.IntRange(1, 20000).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		by := rapid.IntRange(-500, 500).Draw(t, "by")
		got := shiftDate(day, []shift{{by, "m"}}, nil)
		months := (got.Year()-day.Year())*12 + int(got.Month()-day.Month())
		last := got.AddDate(0, 0, 1).Day() == 1
		if months != by || got.Day() > day.Day() || got.Day() < day.Day() && !last {
			t.Fatalf("%s shifted by %d months is %s", day.Format(time.DateOnly), by, got.Format(time.DateOnly))
		}
	})
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"", "$", "$$", "${", "$${", "$$${", "a${run.id}b", "${run.date-1d:%Y}", "${params.x}}", "$${${env.A}", "é${each.é}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, faults := parseValue(s)
		if len(faults) > 0 {
			for _, x := range faults {
				if x.what == "" || x.instead == "" {
					t.Fatalf("%q: a fault that says too little: %+v", s, x)
				}
			}
			return
		}
		// What was read can be written again, and is read the same.
		var b strings.Builder
		for _, p := range parts {
			if p.kind == literal {
				b.WriteString(strings.ReplaceAll(p.text, "${", "$${"))
			} else {
				b.WriteString("${" + p.text + "}")
			}
		}
		if b.String() != s {
			t.Fatalf("%q was read as %q", s, b.String())
		}
		if !strings.Contains(s, "$") && len(parts) > 1 {
			t.Fatalf("%q was split", s)
		}
	})
}
