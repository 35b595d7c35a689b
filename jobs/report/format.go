package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// number writes an integer with its thousands apart.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// size writes a number of bytes for people.
func size(n int64) string {
	if n < 1000 {
		return plural(n, "byte")
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		f /= 1000
		if f < 999.5 {
			break
		}
	}
	if f < 9.95 {
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

// lasting writes a duration for people: 0.4s, 12s, 1m 12s, 2h 05m.
func lasting(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 9950*time.Millisecond:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
	case d.Round(time.Second) < time.Minute:
		return fmt.Sprintf("%ds", int(d.Round(time.Second).Seconds()))
	case d.Round(time.Second) < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
}

// lasted is how long something took, to the last event if it has not ended; empty if it
// has not begun.
func (r Report) lasted(from, to Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		return lasting(r.Seen.Sub(from.Time))
	}
	return lasting(to.Sub(from.Time))
}

// clock writes a time of day in the run's zone.
func (r Report) clock(t time.Time) string { return t.In(r.zone()).Format("15:04:05") }

// moment writes a date and time in the run's zone, without the zone's name.
func (r Report) moment(t time.Time) string { return t.In(r.zone()).Format("Mon 2 Jan 2006 15:04:05") }

func (r Report) zone() *time.Location {
	if r.Zone == nil {
		return time.UTC
	}
	return r.Zone
}

// zoneName names the run's zone: "Europe/Paris (CET)", "UTC".
func (r Report) zoneName() string {
	abbreviation := r.Started.In(r.zone()).Format("MST")
	switch name := r.zone().String(); name {
	case "Local", "", abbreviation:
		return abbreviation
	default:
		return name + " (" + abbreviation + ")"
	}
}

// span writes when the run took place: "Tue 24 Nov 2026 02:00:03 to 02:14:51,
// Europe/Paris (CET)".
func (r Report) span() string {
	text := r.moment(r.Started.Time)
	end, word := r.Ended.Time, " to "
	if end.IsZero() {
		end, word = r.Seen, ", last event "
	}
	if sameDay(r.Started.In(r.zone()), end.In(r.zone())) {
		text += word + r.clock(end)
	} else {
		text += word + r.moment(end)
	}
	return text + ", " + r.zoneName()
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// tidy makes a text of others safe to show: without control characters, which could
// steer a terminal, and without marks that turn the order of the letters after them.
// Line breaks are kept.
func tidy(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\r':
			return '\n'
		case r == '\t' || r == '\u0085':
			return ' '
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069',
			r == '\u200e' || r == '\u200f' || r == '\u061c', r == '\ufffe' || r == '\uffff', r == '\ufeff':
			return utf8.RuneError
		}
		return r
	}, s)
}

// oneLine is tidy in a single line.
func oneLine(s string) string { return strings.Join(strings.Fields(tidy(s)), " ") }
