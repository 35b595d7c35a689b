package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// BusinessDay says whether a day, in its own location, is a business day of the expanded
// job: not on a weekend, and not in its calendar.
func (j *Job) BusinessDay(day time.Time) bool { return holidays(j.Holidays).business(day) }

// holidays are the days that are no business days although they are not on a weekend, as
// 2026-12-25, sorted.
type holidays []string

func (h holidays) business(day time.Time) bool {
	switch day.Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	_, free := slices.BinarySearch(h, day.Format(time.DateOnly))
	return !free
}

// shift moves a date by business days: by one from a weekend is the Monday after it, or
// the Friday before it. By none it stays.
func (h holidays) shift(day time.Time, by int) time.Time {
	step := 1
	if by < 0 {
		step = -1
	}
	for by != 0 {
		day = day.AddDate(0, 0, step)
		if h.business(day) {
			by -= step
		}
	}
	return day
}

var calendarFile = fileKind{"a calendar", "write the days that are no business days, one a line, as 2026-12-25"}

// mostFaults of one calendar are told; a file of another kind has as many as lines.
const mostFaults = 5

// parseCalendar reads the dates of a calendar, sorted and each once: one a line, and #
// begins a comment.
func parseCalendar(file string, data []byte) ([]string, Problems) {
	text, problem := textOf(calendarFile, file, data)
	if problem != nil {
		return nil, Problems{*problem}
	}
	var dates []string
	var problems Problems
	more := 0
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if _, err := time.Parse(time.DateOnly, line); err == nil {
			dates = append(dates, line)
			continue
		}
		if len(problems) == mostFaults {
			more++
			continue
		}
		problems = append(problems, Problem{File: file, Line: i + 1, What: fmt.Sprintf("%q is not a date", clip(line)), Instead: repairDate(line)})
	}
	if more > 0 {
		problems = append(problems, Problem{File: file, What: fmt.Sprintf("%d more lines are not dates", more), Instead: "give the path of a calendar"})
	}
	if len(dates) == 0 && len(problems) == 0 {
		problems = append(problems, Problem{File: file, What: "the file holds no date", Instead: calendarFile.begin})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	slices.Sort(dates)
	return slices.Compact(dates), nil
}

// repairDate says what to write instead of a date in another form.
func repairDate(line string) string {
	for _, form := range []string{"2006/1/2", "2006.1.2", "20060102", "2006-1-2", "2.1.2006", "2 Jan 2006", "2 January 2006", "Jan 2, 2006", "January 2, 2006"} {
		if t, err := time.Parse(form, line); err == nil {
			return "write " + t.Format(time.DateOnly)
		}
	}
	if len(line) > len(time.DateOnly) {
		if _, err := time.Parse(time.DateOnly, line[:len(time.DateOnly)]); err == nil {
			return "write # before what follows the date"
		}
	}
	return "write year, month and day, as 2026-12-25; # begins a comment"
}

// readCalendar works out the path of the job's calendar and reads it. What is wrong is
// noted.
func (e *expander) readCalendar() {
	j := e.job
	if j.Calendar == "" {
		return
	}
	before := len(e.problems) + len(e.wrong)
	e.calendar = e.expand(j.Positions, "", "calendar", j.Calendar, calendarText, nil)
	if len(e.problems)+len(e.wrong) > before {
		return
	}
	data, problem := readFile(e.calendar, calendarFile.name)
	if problem != nil {
		e.problem(j.Positions, "", "calendar", fault{e.calendar + ": " + problem.What, problem.Instead})
		return
	}
	dates, problems := parseCalendar(e.calendar, data)
	e.problems = append(e.problems, problems...)
	e.holidays = dates
}

// calendarFaults are what is wrong with the path of the calendar as it is written: what
// needs the calendar cannot stand in it.
func (j *Job) calendarFaults() []fault {
	var faults []fault
	const instead = "write days (d) or months (m)"
	parts, _ := parseValue(j.Calendar)
	for _, p := range parts {
		switch {
		case p.inBusinessDays():
			faults = append(faults, fault{"${" + p.text + "}: business days are those of this calendar", instead})
		case p.kind == paramValue:
			i := slices.IndexFunc(j.Params, func(x Param) bool { return x.Name == p.name })
			if i >= 0 && inBusinessDays(j.Params[i].Default) {
				faults = append(faults, fault{"${" + p.text + "}: its default counts the business days of this calendar", instead + " there"})
			}
		}
	}
	return faults
}

// inBusinessDays says whether a text counts business days.
func inBusinessDays(text string) bool {
	parts, _ := parseValue(text)
	return slices.ContainsFunc(parts, part.inBusinessDays)
}

func (p part) inBusinessDays() bool {
	return slices.ContainsFunc(p.shifts, func(s shift) bool { return s.unit == "bd" })
}
