package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseCalendar(t *testing.T) {
	tests := []struct{ text, want string }{ // dates, or the problems
		{"2026-12-25\n2026-01-01\n", "2026-01-01 2026-12-25"},
		{"\ufeff# free days\r\n\r\n 2026-12-25 # Christmas\r\n2026-12-25", "2026-12-25"},
		{"25.12.2026\n12/25/2026\n20261225\n2026/1/6\n6 January 2026", `c.txt:1: "25.12.2026" is not a date; write 2026-12-25` + "\n" +
			`c.txt:2: "12/25/2026" is not a date; write year, month and day, as 2026-12-25; # begins a comment` + "\n" +
			`c.txt:3: "20261225" is not a date; write 2026-12-25` + "\n" +
			`c.txt:4: "2026/1/6" is not a date; write 2026-01-06` + "\n" +
			`c.txt:5: "6 January 2026" is not a date; write 2026-01-06`},
		{"2026-12-25 Christmas", `c.txt:1: "2026-12-25 Christmas" is not a date; write # before what follows the date`},
		{"2026-12-25\n2026-02-30", `c.txt:2: "2026-02-30" is not a date; write year, month and day, as 2026-12-25; # begins a comment`},
		{"# nothing\n", "c.txt: the file holds no date; write the days that are no business days, one a line, as 2026-12-25"},
		{"", "c.txt: the file is empty; write the days that are no business days, one a line, as 2026-12-25"},
		{"a\nb\nc\nd\ne\nf\ng", "c.txt: 2 more lines are not dates; give the path of a calendar"},
		{"\xff\xfe2\x000\x00", "c.txt:1: the file is UTF-16 (little endian), and must be UTF-8"},
		{"2026-12-25\nWeihnachten f\xfcr alle", "c.txt:2: the byte 0xFC in column 14 is not UTF-8"},
	}
	for _, tt := range tests {
		dates, problems := parseCalendar("c.txt", []byte(tt.text))
		got := strings.Join(dates, " ")
		if problems != nil {
			got = problems.sorted().Error()
			if dates != nil {
				t.Errorf("%q: dates and problems", tt.text)
			}
		}
		if !strings.HasPrefix(got, tt.want) || problems == nil && got != tt.want {
			t.Errorf("%q\n%s", tt.text, cmp.Diff(tt.want, got))
		}
	}
}

func TestBusinessDays(t *testing.T) {
	free := holidays{"2026-12-24", "2026-12-25", "2026-12-28"}
	for _, tt := range []struct{ from, reference, want string }{
		{"2026-12-29", "run.date-1bd", "2026-12-23"}, // over three holidays and a weekend
		{"2026-12-23", "run.date+1bd", "2026-12-29"},
		{"2026-12-26", "run.date-1bd", "2026-12-23"}, // a Saturday
		{"2026-12-26", "run.date+1bd", "2026-12-29"},
		{"2026-12-26", "run.date+0bd", "2026-12-26"},
		{"2026-11-30", "run.date-5bd", "2026-11-23"},
		{"2026-12-31", "run.date-1m-1bd:%d.%m.%Y", "27.11.2026"}, // the 30th is a Monday
		{"2026-12-31", "run.date-1bd-1m", "2026-11-30"},
	} {
		p, f := parseReference(tt.reference)
		day, err := time.Parse(time.DateOnly, tt.from)
		if f != nil || err != nil {
			t.Fatal(f, err)
		}
		if got := formatDate(shiftDate(day, p.shifts, free), p.format); got != tt.want {
			t.Errorf("%s of %s is %s, want %s", tt.reference, tt.from, got, tt.want)
		}
	}
}

// TestShiftLandsOnBusinessDays holds for any calendar: n business days lie between a day
// and where it is shifted by n, which is one of them.
func TestShiftLandsOnBusinessDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var free holidays
		for i := range 60 {
			if rapid.IntRange(0, 3).Draw(t, "free") == 0 {
				free = append(free, begin.AddDate(0, 0, i).Format(time.DateOnly))
			}
		}
		job := &Job{Holidays: free}
		from := begin.AddDate(0, 0, rapid.IntRange(0, 60).Draw(t, "from"))
		by := rapid.IntRange(-40, 40).Draw(t, "by")
		to := free.shift(from, by)
		if by == 0 {
			if !to.Equal(from) {
				t.Fatalf("%s moved to %s", from, to)
			}
			return
		}
		if !job.BusinessDay(to) || to.After(from) != (by > 0) {
			t.Fatalf("%s shifted by %d is %s", from, by, to)
		}
		first, last, count := from.AddDate(0, 0, 1), to, 0
		if by < 0 {
			first, last = to, from.AddDate(0, 0, -1)
		}
		for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
			if job.BusinessDay(d) {
				count++
			}
		}
		if count != max(by, -by) {
			t.Fatalf("between %s and %s lie %d business days, not %d", from, to, count, by)
		}
	})
}

const calendarJob = `name = "j"
connection = "c"
calendar = "${env.HOLIDAYS}/${params.country}.txt"
[anaplan]
workspace = "W"
model = "M"
[params]
day = "${run.date-1bd}"
country = "de"
[[step]]
name = "a"
import = "I"
source = "in/${params.day}_${run.date+1bd:%Y%m%d}.csv"
guard = { max_age = "1bd" }
`

// TestExpandReadsTheCalendar: its dates are those of the run, and what is wrong with it is
// said with its line.
func TestExpandReadsTheCalendar(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "de.txt")
	job := parsed(t, calendarJob)
	expand := func(params map[string]string) (*Job, error) {
		return job.Expand(Values{Date: time.Date(2026, 12, 28, 0, 0, 0, 0, time.UTC), Params: params,
			Env: func(string) (string, bool) { return dir, true }})
	}
	wrong := func(what string, params map[string]string, want string) {
		t.Helper()
		got, err := expand(params)
		if err == nil || got != nil {
			t.Fatalf("%s: %v, %v", what, got, err)
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s\n%s", what, diff)
		}
	}
	wrong("none", nil, "job.toml:3: calendar: "+file+": there is no such file; give the path of a calendar")
	wrong("a folder above", map[string]string{"country": "../de"}, `--param country: "../de" holds / or \ or .., and goes into a path (calendar); give a plain name`)
	if err := os.WriteFile(file, []byte("2026-12-25\n26.12.2026\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong("another form", nil, file+`:2: "26.12.2026" is not a date; write 2026-12-26`)
	if err := os.WriteFile(file, []byte("2026-12-29\n2026-12-25\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := expand(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Calendar != file || got.Steps[0].Source.Path != "in/2026-12-24_20261230.csv" {
		t.Errorf("%s, %s", got.Calendar, got.Steps[0].Source.Path)
	}
	if diff := cmp.Diff([]string{"2026-12-25", "2026-12-29"}, got.Holidays); diff != "" {
		t.Error(diff)
	}
	if got.BusinessDay(time.Date(2026, 12, 25, 23, 0, 0, 0, time.FixedZone("", 3600))) || !got.BusinessDay(time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)) {
		t.Error("business days of the run are not those of its calendar")
	}
	if job.Holidays != nil || job.Calendar != "${env.HOLIDAYS}/${params.country}.txt" {
		t.Errorf("the job itself was changed: %s, %s", job.Calendar, job.Holidays)
	}
}

// TestBusinessDaysWithoutCalendar are Monday to Friday.
func TestBusinessDaysWithoutCalendar(t *testing.T) {
	job := parsed(t, strings.Replace(calendarJob, "calendar =", "#", 1))
	got, err := job.Expand(Values{Date: time.Date(2026, 12, 28, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if want := "in/2026-12-25_20261229.csv"; got.Steps[0].Source.Path != want || got.Holidays != nil {
		t.Errorf("%s, %s", got.Steps[0].Source.Path, got.Holidays)
	}
}

func FuzzCalendar(f *testing.F) {
	for _, s := range []string{"2026-12-25\n# x\n", "25.12.2026", "\ufeff\r\n2026-02-29", "", "\xff\xfe"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dates, problems := parseCalendar("c.txt", data)
		if (len(dates) > 0) == (len(problems) > 0) || len(problems) > mostFaults+1 {
			t.Fatalf("%v with %v", dates, problems)
		}
		for i, d := range dates {
			if _, err := time.Parse(time.DateOnly, d); err != nil || i > 0 && dates[i-1] >= d {
				t.Fatalf("%q", dates)
			}
		}
	})
}
